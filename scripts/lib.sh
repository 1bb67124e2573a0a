# shellcheck shell=bash
#
# What the scripts share: finding programs, building, a state directory, processes that can be stopped.
# Sourced with `top` set to the checkout's directory; other variables of the caller are named where needed.
# shellcheck disable=SC2154

die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	exit "${2:-1}"
}

note() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# --- Debian packages, by what they are for

declare -A packages=(
	[build]="build-essential autoconf automake pkg-config libfcgi-dev libpq-dev
		libjson-c-dev libjwt-dev libcrypt-dev libcurl4-openssl-dev libssl-dev libhiredis-dev libcmocka-dev"
	[run]="postgresql procps"
	[lighttpd]=lighttpd
	[apache]=apache2-bin
	[nginx]=nginx-light
	[redis]=redis-server
	[demo]="curl jq python3"
	[test]="spawn-fcgi pgbouncer clang libclang-rt-14-dev clang-format-14 valgrind curl jq git wrk shellcheck mandoc
		python3 python3-venv python3-pytest python3-pytest-xdist python3-psycopg python3-jwt python3-cryptography
		python3-jsonschema python3-requests iproute2 openssl"
)

# Install what is missing of the named groups; as another user than root, say what to install.
# No service is started by it: what these scripts need runs privately.
packages_need() {
	local group missing=() package policy=/usr/sbin/policy-rc.d
	command -v dpkg-query >/dev/null || return 0
	for group; do
		for package in ${packages[$group]}; do
			[[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == *' installed' ]] ||
				missing+=("$package")
		done
	done
	((${#missing[@]})) || return 0
	((EUID == 0)) || die "missing packages; as root: apt-get install ${missing[*]}" 69
	note "installing ${missing[*]}"
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	(
		export DEBIAN_FRONTEND=noninteractive
		apt-get -qq update
		apt-get -qq -y --no-install-recommends install "${missing[@]}"
	) </dev/null >&2 || die 'apt-get failed' 69
	if [[ $(trap -p EXIT) == *policy-rc.d* ]]; then
		rm -f "$policy"
		trap - EXIT
	fi
}

# Debian's Python has the modules of Debian's packages; another may stand before it in PATH.
python=/usr/bin/python3
[[ -x $python ]] || python=python3

# Path of a program, also where only root's PATH leads.
program() {
	local found
	found=$(PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1") ||
		die "$1 is not installed${2:+ (Debian package $2)}" 69
	printf '%s\n' "$found"
}

# Directory of PostgreSQL's server programs.
postgres_bin() {
	local dir
	dir=$(pg_config --bindir 2>/dev/null) || dir=
	if [[ ! -x $dir/initdb ]]; then
		dir=$(find /usr/lib/postgresql -maxdepth 3 -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
	fi
	if [[ ! -x $dir/initdb ]]; then
		dir=$(dirname "$(program initdb postgresql)") || exit
	fi
	printf '%s\n' "$dir"
}

# --- building

# Where the build tree is, or will be: POSTERN_BUILD, the checkout when it was configured in place, else .build.
build_dir() {
	if [[ -n ${POSTERN_BUILD:-} ]]; then
		printf '%s\n' "$POSTERN_BUILD"
	elif [[ -e $top/config.status ]]; then
		printf '%s\n' "$top"
	else
		printf '%s\n' "$top/.build"
	fi
}

# Build what is not built yet. Several may ask at once.
build() {
	local dir=$1
	mkdir -p "$dir"
	if [[ ! -w $dir && -x $dir/posternd ]]; then
		return # another user's, and built
	fi
	(
		flock 9
		if [[ ! -x $top/configure || $top/configure.ac -nt $top/configure ]]; then
			note 'making configure'
			(cd "$top" && autoreconf -i -Wno-obsolete) >"$dir/autoreconf.log" 2>&1 ||
				die "autoreconf failed: see $dir/autoreconf.log"
		fi
		if [[ ! -e $dir/config.status ]]; then
			note 'configuring'
			(cd "$dir" && "$(realpath --relative-to=. "$top")/configure" -q) >"$dir/configure.log" 2>&1 ||
				die "configure failed: $(tail -n 3 "$dir/configure.log")"
		fi
		make -s -C "$dir" -j"$(nproc)" all >"$dir/make.log" 2>&1 ||
			die "make failed: $(grep -m 5 -iE 'error|\*\*\*' "$dir/make.log"; printf '(%s)' "$dir/make.log")"
	) 9>"$dir/.lock" || exit
}

# --- users

# Who runs the services: the caller; for root the owner of the checkout, or postern, or nobody.
service_user() {
	local owner user
	if ((EUID != 0)); then
		id -un
		return
	fi
	owner=$(stat -c %U "$top")
	for user in "${POSTERN_USER:-}" "$owner" postern nobody; do
		if [[ -n $user && $user != root && $user != UNKNOWN ]] && getent passwd "$user" >/dev/null; then
			printf '%s\n' "$user"
			return
		fi
	done
	die 'there is no user to drop to: neither postern nor nobody'
}

# Run a command as the service user. Needs: user.
as_user() {
	if ((EUID == 0)); then
		(cd / && exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups \
			env HOME=/nonexistent USER="$user" LOGNAME="$user" "$@")
	else
		"$@"
	fi
}

# --- processes: a line each in $state/pids, "name pid start", start being the kernel's start time
# of the process, so that another that has the number later is never taken for ours.

process_start() {
	local stat fields
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	read -ra fields <<<"${stat##*) }" # from the third on: state is 0, starttime 19
	[[ ${fields[0]} != Z ]] || return 1
	printf '%s\n' "${fields[19]}"
}

# pid of a process of ours that is alive, by its name.
process_pid() {
	local name pid start found=
	[[ -r $state/pids ]] || return 1
	while read -r name pid start; do
		if [[ $name == "$1" && $(process_start "$pid") == "$start" ]]; then
			found=$pid
		fi
	done <"$state/pids"
	[[ -n $found ]] && printf '%s\n' "$found"
}

process_save() {
	local start
	start=$(process_start "$2") || die "$1 ended at once: see $state/log/$1.log"
	printf '%s %s %s\n' "$1" "$2" "$start" >>"$state/pids"
}

# Start a process of ours: name, log file, command.
process_spawn() {
	local name=$1 log=$2
	shift 2
	if ((EUID == 0)); then
		setsid setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups \
			env HOME=/nonexistent USER="$user" LOGNAME="$user" "$@" </dev/null >>"$log" 2>&1 9>&- &
	else
		setsid "$@" </dev/null >>"$log" 2>&1 9>&- &
	fi
	process_save "$name" $!
}

# Stop a process of ours: name, signal, seconds until it is killed.
process_stop() {
	local pid i
	pid=$(process_pid "$1") || return 0
	kill -s CONT "$pid" 2>/dev/null || true
	kill -s "$2" "$pid" 2>/dev/null || true
	for ((i = 0; i < $3 * 20; i++)); do
		process_pid "$1" >/dev/null || return 0
		sleep 0.05
	done
	note "$1 ($pid) did not stop in $3 s: killed"
	kill -s KILL "$pid" 2>/dev/null || true
}

# --- a state directory

# Where the state of --dir D lies: D itself, or for root, when the service user cannot reach D, a
# directory that D/state names. Needs: dir, user. Sets: state.
state_find() {
	state=$dir
	if [[ -L $dir/state ]]; then
		state=$(readlink "$dir/state")
	fi
}

# D/env is for a shell to read: a value stands as it is, or in single quotes where the shell would take
# a character of it for its own.
env_quote() {
	local quote="'" quoted="'\\''"
	if [[ $1 =~ ^[A-Za-z0-9%+,./:=?@_-]*$ ]]; then
		printf '%s\n' "$1"
	else
		printf "'%s'\n" "${1//$quote/"$quoted"}"
	fi
}

env_unquote() {
	local quote="'" quoted="'\\''" value=$1
	if [[ $value == "$quote"*"$quote" ]]; then
		value=${value:1:-1}
		value=${value//"$quoted"/"$quote"}
	fi
	printf '%s\n' "$value"
}

# The value of a name in D/env.
env_value() {
	env_unquote "$(sed -n "s/^$1=//p" "$dir/env" 2>/dev/null | tail -n 1)"
}

# The lines of D/env with their values as they are.
env_print() {
	local name value
	while IFS='=' read -r name value; do
		printf '%s=%s\n' "$name" "$(env_unquote "$value")"
	done <"$dir/env"
}

# Take away the directory that the sockets have of their own, if they have one and nothing is left in
# it; `up` makes another.
sockets_end() {
	local sockets
	sockets=$(cat "$state/sockets" 2>/dev/null) || return 0
	[[ $sockets != "$state/run" ]] || return 0
	as_user rm -f "$sockets/inst"
	if as_user rmdir "$sockets" 2>/dev/null; then
		rm -f "$state/sockets"
	fi
}

# --- HTTP on the loopback

# Status of GET path on a port, 000 when there is no answer.
http_status() {
	local line='' fd
	if { exec {fd}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; then
		printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$2" >&"$fd" || true
		IFS= read -r -t 15 line <&"$fd" || true
		exec {fd}>&-
	fi
	[[ $line =~ ^HTTP/1\.[01]\ ([0-9]{3}) ]] && printf '%s\n' "${BASH_REMATCH[1]}" || printf '000\n'
}

port_free() {
	local fd
	if { exec {fd}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; then
		exec {fd}>&-
		return 1
	fi
}

# --- PostgreSQL of a state directory. Needs: state, user, pgbin, sockets.

cluster_make() {
	local made=$state/pg.new
	[[ ! -e $state/pg/PG_VERSION ]] || return 0
	rm -rf "$made"
	as_user "$pgbin/initdb" -D "$made" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
		>"$state/log/initdb.log" 2>&1 || die "initdb failed: see $state/log/initdb.log"
	cat >>"$made/postgresql.conf" <<-'CONF'

		# Reached by the unix socket in a directory that only its owner may enter; hence trust.
		listen_addresses = ''
		max_connections = 200
		log_line_prefix = '%m [%p] %q%u '
		timezone = 'UTC'
	CONF
	mv "$made" "$state/pg"
}

cluster_sql() {
	as_user "$pgbin/psql" -XqAt -v ON_ERROR_STOP=1 -h "$sockets" -U postgres "$@"
}

cluster_start() {
	if as_user "$pgbin/pg_ctl" -D "$state/pg" status >/dev/null 2>&1; then
		return
	fi
	as_user "$pgbin/pg_ctl" -D "$state/pg" -w -t 60 -l "$state/log/postgresql.log" \
		-o "-c unix_socket_directories='$sockets'" start >/dev/null 9>&- ||
		die "PostgreSQL does not start: see $state/log/postgresql.log"
}

cluster_stop() {
	local pid
	[[ -e $state/pg/postmaster.pid ]] || return 0
	pid=$(head -n 1 "$state/pg/postmaster.pid")
	if [[ $pid =~ ^[0-9]+$ && $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) == *"$state/pg"* ]]; then
		pkill -CONT -P "$pid" 2>/dev/null || true
		kill -s CONT "$pid" 2>/dev/null || true
		as_user "$pgbin/pg_ctl" -D "$state/pg" -m fast -w -t 30 stop >/dev/null 2>&1 ||
			as_user "$pgbin/pg_ctl" -D "$state/pg" -m immediate -w -t 10 stop >/dev/null 2>&1 ||
			note "PostgreSQL ($pid) did not stop"
	fi
}

# Everything that `up` started, the web server first, so that no new request comes.
stop_all() {
	local front
	for front in lighttpd apache nginx; do
		process_stop "$front" TERM 10
	done
	process_stop posternd TERM 40
	process_stop redis TERM 10
	cluster_stop
	rm -f "$state/pids"
}
