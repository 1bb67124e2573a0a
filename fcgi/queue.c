#include "fcgi/queue.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A listening TCP socket counts its backlog as unacknowledged segments. Source: tcp_get_info(),
 * Linux.
 */
static int
tcp_queue(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t n = sizeof info;

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 ? (int)info.tcpi_unacked
	                                                             : -1;
}

/* The attribute of a sock_diag answer that holds the length. */
static int
queue_of_answer(struct nlmsghdr *answer)
{
	const struct unix_diag_msg *socket = NLMSG_DATA(answer);
	int left = (int)(answer->nlmsg_len - NLMSG_LENGTH(sizeof *socket));
	const char *at = (const char *)(socket + 1);

	while (left >= (int)sizeof(struct rtattr)) {
		struct rtattr attribute;

		memcpy(&attribute, at, sizeof attribute);
		if (attribute.rta_len < sizeof attribute || attribute.rta_len > left)
			break;
		if (attribute.rta_type == UNIX_DIAG_RQLEN) {
			struct unix_diag_rqlen lengths;

			memcpy(&lengths, at + RTA_LENGTH(0), sizeof lengths);
			return (int)lengths.udiag_rqueue;
		}
		at += RTA_ALIGN(attribute.rta_len);
		left -= (int)RTA_ALIGN(attribute.rta_len);
	}
	return -1;
}

static int
unix_queue(int fd)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req ask;
	} request = {
		.head = { .nlmsg_len = sizeof request,
		          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		          .nlmsg_flags = NLM_F_REQUEST },
		.ask = { .sdiag_family = AF_UNIX,
		         .udiag_states = -1U,
		         .udiag_show = UDIAG_SHOW_RQLEN,
		         .udiag_cookie = { -1U, -1U } },
	};
	_Alignas(struct nlmsghdr) char answer[1024];
	struct stat status;
	ssize_t n;
	CLEANUP(closep)
	int diag = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (diag < 0 || fstat(fd, &status) != 0)
		return -1;
	request.ask.udiag_ino = (uint32_t)status.st_ino;
	if (send(diag, &request, sizeof request, 0) < 0)
		return -1;
	n = recv(diag, answer, sizeof answer, 0);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct unix_diag_msg)) ||
	    ((struct nlmsghdr *)answer)->nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -1;
	return queue_of_answer((struct nlmsghdr *)answer);
}

int
queue_length(int listen_fd)
{
	int family = 0;
	socklen_t n = sizeof family;

	if (getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &family, &n) != 0)
		return -1;
	return family == AF_UNIX ? unix_queue(listen_fd) : tcp_queue(listen_fd);
}
