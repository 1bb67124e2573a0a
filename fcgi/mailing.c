#include "fcgi/mailing.h"

#include "common/json.h"
#include "common/settings.h"
#include "common/upstream_smtp.h"
#include "fcgi/outbox.h"

const Problem *
mailing_put(Ctx *ctx, const Mail *mail, Uuid *id)
{
	Buf payload = { .arena = ctx->arena };

	TRY(mail_check(ctx, mail));
	json_write(&payload, &Mail_model, mail);
	return outbox_put(ctx, MAILING_KIND, buf_str(&payload), id);
}

const char *
mailing_lacks(void)
{
	if (*conf->mail_smtp_url == '\0')
		return "mail.smtp_url is empty";
	return *conf->mail_from == '\0' ? "mail.from is empty" : NULL;
}

/* The payload as a mail, and as a message. */
static const Problem *
message_read(Ctx *ctx, const OutboxItem *item, const MailFrom *from, Mail *mail, Str *message)
{
	FieldErrors *errors = arena_new(ctx->arena, FieldErrors, 1);

	TRY(json_read(ctx, item->payload.text, &Mail_model, mail, errors));
	TRY(problem_fields(ctx, P_validation_failed, errors));
	return mail_write(ctx, from, mail, item->id, item->created_at, message);
}

static Str
problem_words(Ctx *ctx, const Problem *p)
{
	const FieldError *first = p->fields;

	if (p->n_fields == 0)
		return str_of(p->inside != NULL ? p->inside : problem_rows[p->code].code);
	return str_print(
	    ctx->arena, "the payload is no mail: %.*s %.*s", STR_ARG(first->pointer),
	    STR_ARG(message_text(ctx->arena, first->code, LANG_EN, first->number)));
}

void
mailing_deliver(Ctx *ctx, const void *thing, Delivery *out)
{
	static const Outcome outcomes[] = {
		[SMTP_TAKEN] = OUTCOME_DONE,
		[SMTP_LATER] = OUTCOME_LATER,
		[SMTP_REFUSED] = OUTCOME_NEVER,
	};
	const OutboxItem *item = thing;
	const Problem *p;
	SmtpVerdict verdict;
	MailFrom from;
	SmtpUrl url;
	Mail mail = { 0 };
	Str message, words = STR_NONE;

	CHECK(mail_from_read(str_of(conf->mail_from), &from) &&
	      smtp_url_read(str_of(conf->mail_smtp_url), &url));
	p = message_read(ctx, item, &from, &mail, &message);
	if (p != NULL) {
		delivery_set(out, OUTCOME_NEVER, problem_words(ctx, p));
		return;
	}
	verdict =
	    smtp_send(ctx,
	              &(SmtpCall){
			  .url = conf->mail_smtp_url,
			  .prove = url.login || strcmp(conf->mail_starttls, "demanded") == 0,
			  .ca_file = conf->mail_ca_file,
			  .from = from.address,
			  .to = mail.to,
			  .message = message,
		      },
	              &words);
	delivery_set(out, outcomes[verdict], words);
}
