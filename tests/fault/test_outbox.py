"""The outbox: what a transaction wants done is done when it has committed, at least once, by the keeper of
any host, whatever the mail server does meanwhile.

The hosts are posternd of their own on one database, whose own posternd has no mail server.
"""

import contextlib
import datetime
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid

import fcgi
import host as hosts
import psycopg
import pytest
from bench import Postern, children, command_line, process_alive, until
from server import POSTERNCTL
from smtp import DRIP, SILENT, Smtp, certificate
from upstream import free_port

FROM = "Postern Test <no-reply@example.com>"
SAFE_MS = 1000  # between two proofs that the keeper hears, 500 of which are planned


class Host(hosts.Host):
    """A posternd that delivers mails to a server."""

    def __init__(self, postern, smtp, **sets):
        super().__init__(postern, **{
            "mail_smtp_url": smtp.url if smtp else "", "mail_from": FROM, "mail_deadline_ms": 10000, **sets})
        self.log_until("listener_hears")

    def mail(self, *args, to="malee@example.org"):
        return self.ctl("mail", "--to", to, *args, check=False)

    def courier(self):
        """The process that delivers; None when there is none."""
        keeper = self.keeper()
        return next((p for p in children(keeper) if command_line(p) == "posternd: courier"), None) if keeper else None

    def metric(self, name):
        text = self.ask_keeper("/metrics").body.decode()
        return float(re.search(rf"^postern_{name} (\S+)$", text, re.M)[1])


@pytest.fixture(scope="module")
def postern():
    with Postern(sets={"pool.workers": 1, "auth.hash_cost": 1}) as running:
        yield running


@pytest.fixture(autouse=True)
def empty(postern):
    yield
    postern.sql("TRUNCATE outbox")


@pytest.fixture()
def smtp():
    with Smtp() as server:
        yield server


@pytest.fixture()
def host(postern, smtp):
    with Host(postern, smtp) as running:
        yield running


def put(connection, n=1, subject="Hello", text="Text", to="malee@example.org", kind="mail"):
    """Rows as the program puts them, in the transaction that the connection is in; their ids."""
    ids = [str(uuid.uuid4()) for _ in range(n)]
    payload = json.dumps({"to": to, "subject": subject, "text": text})
    for one in ids:
        connection.execute("INSERT INTO outbox (id, kind, payload) VALUES (%s, %s, %s)", (one, kind, payload))
    connection.execute("SELECT pg_notify('postern_epochs', %s)", (f"o:{kind}",))
    return ids


def put_now(postern, **what):
    with psycopg.connect(postern.postgres.admin) as connection:
        return put(connection, **what)


def row(postern, one=None):
    """The row, or the only one there is."""
    where, params = ("WHERE id = %s", [one]) if one else ("", [])
    found = postern.sql(f"SELECT attempts, last_error, done_at, gave_up_at, payload, due_at - now() FROM outbox {where}", params)
    assert len(found) == 1
    return dict(zip(("attempts", "error", "done", "gave_up", "payload", "due"), found[0], strict=True))


def hurry(postern):
    """Whatever waits to be tried again is due now."""
    postern.change("UPDATE outbox SET due_at = now() WHERE done_at IS NULL AND gave_up_at IS NULL", [], "o:mail")


def ids_of(smtp):
    return [re.fullmatch(r"<(.*)@example\.com>", mail.message["Message-ID"])[1] for mail in smtp.mails]


# --- a mail


def test_a_mail_is_delivered_once_and_forgotten(postern, smtp, host):
    done = host.mail()
    assert (done.returncode, done.stdout, done.stderr) == (0, "delivered\n", "")
    assert len(smtp.mails) == 1
    mail = smtp.mails[0]
    assert (mail.sender, mail.recipients) == ("no-reply@example.com", ["malee@example.org"])
    message = mail.message
    assert (message["From"], message["To"]) == (FROM, "malee@example.org")
    assert message["Subject"] == "A test of Postern's mail"
    assert abs(message["Date"].datetime.timestamp() - time.time()) < 60
    assert message["Auto-Submitted"] == "auto-generated"
    assert "posternctl mail" in message.get_content()
    one = postern.sql("SELECT id::text FROM outbox")[0][0]
    assert ids_of(smtp) == [one]
    state = row(postern)
    assert state["done"] and not state["gave_up"] and state["payload"] == {} and state["attempts"] == 1
    line = host.log_until("outbox_done")
    assert (line["kind"], line["id"], line["attempts"]) == ("mail", one, 1)
    assert until(lambda: host.metric("outbox_done_total"), 5) == 1
    assert "QUIT" in smtp.lines  # it parts as one should
    assert host.ctl("outbox").stdout == "mail\twaiting 0\tdone 1\tgiven up 0\n"


def test_what_was_written_arrives_as_it_was(postern, smtp, host):
    subject = "ยืนยันอีเมลของคุณที่ร้านค้าออนไลน์: รหัส 123"
    text = ".\n..\n.a dot\nFrom here\n" + "ยาว " * 500 + "\nx" * 3 + "\n" + "y" * 3000 + "\n"
    put_now(postern, subject=subject, text=text)
    until(lambda: smtp.mails, 5, "the mail")
    message = smtp.mails[0].message
    assert message["Subject"] == subject
    assert message.get_content() == text.replace("\n", "\r\n")
    assert max(map(len, smtp.mails[0].data.split(b"\r\n"))) <= 76


def test_it_goes_out_at_once(postern, smtp, host):
    took = []
    for _ in range(5):
        start = time.monotonic()
        put_now(postern)
        n = len(took) + 1
        until(lambda n=n: len(smtp.mails) == n, 5, "the mail")
        took.append(time.monotonic() - start)
    print(f"from COMMIT to the server: {min(took) * 1000:.0f} to {max(took) * 1000:.0f} ms")
    assert max(took) < 1


def test_what_is_rolled_back_is_not_sent(postern, smtp, host):
    with psycopg.connect(postern.postgres.admin) as connection:
        put(connection, 3)
        connection.rollback()
    sent = put_now(postern)
    until(lambda: smtp.mails, 5, "the mail")
    until(lambda: row(postern)["done"], 5, "the end of it")
    assert ids_of(smtp) == sent


def test_a_payload_that_is_no_mail_is_given_up(postern, smtp, host):
    bad = put_now(postern, to="a@example.org>\r\nRCPT TO:<b@example.org")[0]
    until(lambda: row(postern, bad)["gave_up"], 5, "giving it up")
    assert row(postern, bad)["error"] == "the payload is no mail: /to must be an e-mail address"
    bad = put_now(postern, subject="s\r\nBcc: b@example.org")[0]
    until(lambda: row(postern, bad)["gave_up"], 5, "giving it up")
    assert row(postern, bad)["error"] == "the payload is no mail: /subject has the wrong form"
    assert smtp.connections == 0
    refused = host.mail(to="nobody")
    assert (refused.returncode, refused.stdout) == (65, "")
    assert "to: must be an e-mail address" in refused.stderr


# --- what the server says


LATER, NEVER = "waiting to be tried again", "given up"


@pytest.mark.parametrize("step,said,verdict", [
    ("GREETING", "554 5.3.2 go away", LATER),   # everybody, not this mail
    ("GREETING", "421 4.3.2 busy", LATER),
    ("EHLO", "550 5.7.1 who are you", LATER),
    ("MAIL", "451 4.3.0 not now", LATER),
    ("MAIL", "530 5.7.0 log in first", LATER),  # who we are, not this mail
    ("MAIL", "553 5.1.8 no such sender", NEVER),
    ("RCPT", "450 4.2.1 greylisted", LATER),
    ("RCPT", "550 5.1.1 no such user", NEVER),
    ("RCPT", "550-5.1.1 no such user,\r\n550 5.1.1 ไม่พบ", NEVER),
    ("DATA", "554 5.5.1 no valid recipients", NEVER),
    ("END", "452 4.3.1 no room", LATER),
    ("END", "554 5.7.1 spam \x01\udcff", NEVER),
])
def test_a_5xx_to_the_mail_is_for_good_and_the_rest_is_not(postern, smtp, host, step, said, verdict):
    smtp.say[step] = said
    done = host.mail()
    words = {"550-": "550 5.1.1 no such user, 5.1.1 ไม่พบ", "554 5.7.1": "554 5.7.1 spam ??"}
    wanted = next((w for head, w in words.items() if said.startswith(head)), said)
    assert done.stderr == f"posternctl: {verdict}: {wanted}\n"
    assert done.returncode == (75 if verdict == LATER else 69)
    state = row(postern)
    assert bool(state["gave_up"]) == (verdict == NEVER) and not state["done"]
    assert state["error"] == wanted and state["payload"]["to"] == "malee@example.org"
    event = host.log_until("outbox_later" if verdict == LATER else "outbox_gave_up")
    assert event["detail"] == wanted
    name = "outbox_faults_total" if verdict == LATER else "outbox_gave_up_total"
    assert until(lambda: host.metric(name), 5) == 1
    assert not smtp.mails


def test_what_failed_is_tried_again_and_then_delivered_once(postern, smtp, host):
    smtp.say["RCPT"] = ["451 4.3.0 not now", "451 4.3.0 not now", None]
    assert host.mail().returncode == 75
    assert 0 < row(postern)["due"].total_seconds() <= 16
    assert re.fullmatch(r"mail\twaiting 1 since \S+Z\tdone 0\tgiven up 0\t451 4\.3\.0 not now\n",
                        host.ctl("outbox").stdout)
    hurry(postern)
    until(lambda: row(postern)["attempts"] == 2 and row(postern)["due"].total_seconds() < 40, 5, "a second attempt")
    until(lambda: len(host.log("outbox_later")) == 2, 5, "its end")
    hurry(postern)
    until(lambda: row(postern)["done"], 5, "the delivery")
    assert row(postern)["error"] is None
    assert len(smtp.mails) == 1 and smtp.connections == 3


def test_it_is_given_up_after_many_attempts(postern, smtp, host):
    smtp.say["RCPT"] = "451 4.3.0 never"
    assert host.mail().returncode == 75
    postern.change("UPDATE outbox SET attempts = 22, due_at = now()", [], "o:mail")
    until(lambda: row(postern)["attempts"] == 23 and len(host.log("outbox_later")) == 2, 5, "one more")
    hurry(postern)
    until(lambda: row(postern)["gave_up"], 5, "giving it up")
    assert row(postern)["error"] == "451 4.3.0 never"
    assert host.log("outbox_gave_up")[0]["attempts"] == 24


def test_one_that_no_keeper_survives_is_given_up_untried(postern, smtp, host):
    with psycopg.connect(postern.postgres.admin) as connection:
        put(connection)
        connection.execute("UPDATE outbox SET attempts = 24")
    until(lambda: row(postern)["gave_up"], 5, "giving it up")
    assert row(postern)["error"] == "no attempt came to an end"
    assert smtp.connections == 0


def test_no_server_is_a_fault_of_the_moment(postern):
    with Host(postern, None, mail_smtp_url=f"smtp://127.0.0.1:{free_port()}") as host:
        done = host.mail()
        assert done.returncode == 75
        assert "waiting to be tried again: Failed to connect to 127.0.0.1" in done.stderr


# --- servers that take their time


@contextlib.contextmanager
def watched(host):
    """The keeper all the while: /status answers soon, and it proves that it hears."""
    over, asked, ages = threading.Event(), [], []

    def watch():
        while not over.is_set():
            asked.append(host.ask_keeper("/status").seconds)
            ages.append(host.metric("listener_age_seconds"))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
    print(f"{len(asked)} of /status, the slowest {max(asked) * 1000:.0f} ms; "
          f"the oldest proof {max(ages) * 1000:.0f} ms")
    assert max(asked) < 0.5 and max(ages) * 1000 < SAFE_MS


@pytest.mark.parametrize("step,how", [("GREETING", SILENT), ("GREETING", DRIP), ("RCPT", DRIP), ("END", SILENT)])
def test_a_slow_server_holds_nobody_up(postern, smtp, step, how):
    smtp.say[step] = [how, None]
    user = postern.api().as_("user")
    session = postern.sql("SELECT id FROM sessions ORDER BY created_at DESC LIMIT 1")[0][0]
    with Host(postern, smtp, mail_deadline_ms=4000) as host:
        me = fcgi.request("GET", "/v1/me", HTTP_AUTHORIZATION=f"Bearer {user.token}")
        assert fcgi.ask(host.socket, me).status == 200
        put_now(postern)
        assert smtp.at[step].wait(5)
        with watched(host):
            postern.change("UPDATE sessions SET revoked_at = now() WHERE id = %s", [session], f"s:{session}")
            until(lambda: fcgi.ask(host.socket, me).status == 401, 1, "the end of a session")
            assert host.courier()  # still at it
            late = host.log_until("outbox_later", 8)
        assert "time" in late["detail"] and 3900 <= late["ms"] < 5000
        assert host.courier() is None
        hurry(postern)
        until(lambda: row(postern)["done"], 5, "the delivery")
        assert len(smtp.mails) == 1


@pytest.mark.parametrize("how", [SILENT, DRIP])
@pytest.mark.parametrize("said", [None, "550 5.1.1 no such user"])
def test_a_server_that_does_not_part_is_left_alone(postern, smtp, host, said, how):
    smtp.say.update(RCPT=said, QUIT=how)
    start = time.monotonic()
    assert host.mail().returncode == (69 if said else 0)
    assert time.monotonic() - start < 2
    assert "QUIT" in smtp.lines


def test_a_server_that_is_away_is_not_asked_for_each_of_many(postern):
    with Host(postern, None, mail_smtp_url=f"smtp://127.0.0.1:{free_port()}") as host:
        put_now(postern, n=100)
        failures = until(lambda: (f := host.log("outbox_later"))[7:] and f, 20, "some failures")
        first, last = (datetime.datetime.fromisoformat(failures[i]["time"]) for i in (0, 7))
        assert (last - first).total_seconds() > 0.25  # 7 of them take 0.07 s


def test_a_courier_that_is_stopped_is_killed(postern, smtp, host):
    smtp.say["GREETING"] = [SILENT, None]
    host.write(mail_deadline_ms=1500)
    assert host.ctl("reload").returncode == 0
    put_now(postern)
    courier = until(host.courier, 5, "a courier")
    os.kill(courier, signal.SIGSTOP)
    assert host.log_until("outbox_later")["detail"] == "it was not over in time"
    assert not process_alive(courier)


# --- who is killed


@pytest.mark.parametrize("step", ["RCPT", "END"])
def test_a_killed_keeper_loses_nothing(postern, smtp, step):
    smtp.say[step] = [SILENT, None]
    with Host(postern, smtp, mail_deadline_ms=1000) as host:
        put_now(postern)
        assert smtp.at[step].wait(5)
        keeper, courier = host.keeper(), host.courier()
        start = time.monotonic()
        os.kill(keeper, signal.SIGKILL)
        until(lambda: not process_alive(courier), 0.5, "the end of its courier")
        until(lambda: row(postern)["done"], 15, "the delivery by another")
        assert time.monotonic() - start > 4  # not before the lease was over
        assert row(postern)["attempts"] == 2
        assert len(smtp.mails) == 1 and smtp.connections == 2


def test_a_killed_courier_is_tried_again(postern, smtp, host):
    smtp.say["RCPT"] = [SILENT, None]
    put_now(postern)
    assert smtp.at["RCPT"].wait(5)
    os.kill(host.courier(), signal.SIGKILL)
    assert host.log_until("outbox_later")["detail"] == "its process ended with signal 9"
    hurry(postern)
    until(lambda: row(postern)["done"], 5, "the delivery")


def test_what_was_delivered_while_the_database_was_away_is_not_delivered_again(postern, smtp, host):
    hold = smtp.hold("END")
    put_now(postern)
    assert smtp.at["END"].wait(5)
    postern.postgres.stop("immediate")
    try:
        hold.set()
        until(lambda: smtp.mails, 5, "the mail")
        until(lambda: host.courier() is None, 5, "the end of the courier")
    finally:
        postern.postgres.start()
    until(lambda: row(postern)["done"], 15, "writing that down")
    assert row(postern)["attempts"] == 1 and len(smtp.mails) == 1


def test_how_it_went_is_written_down_when_the_database_lets_us(postern, smtp, host):
    hold = smtp.hold("END")
    put_now(postern)
    assert smtp.at["END"].wait(5)
    with psycopg.connect(postern.postgres.admin) as connection:
        connection.execute("SELECT FROM outbox FOR UPDATE")
        hold.set()
        until(lambda: len(host.log("outbox")) == 2, 10, "two attempts to write it down")
        connection.rollback()
    until(lambda: row(postern)["done"], 5, "writing it down")
    assert row(postern)["attempts"] == 1 and len(smtp.mails) == 1


@pytest.mark.parametrize("ends", [True, False])
def test_a_stop_waits_a_while_for_what_is_under_way(postern, smtp, ends):
    hold = smtp.hold("END")
    with Host(postern, smtp, pool_drain_ms=3000) as host:
        put_now(postern)
        assert smtp.at["END"].wait(5)
        os.kill(host.courier(), signal.SIGTERM)  # as a service manager does to all
        host.process.send_signal(signal.SIGTERM)
        start = time.monotonic()
        if ends:
            until(lambda: host.log("stopping"), 5)
            hold.set()
        assert host.process.wait(10) == 0
        took = time.monotonic() - start
        assert took < 3 and not host.log("keeper_kill")
        state = row(postern)
        if ends:
            assert state["done"] and len(smtp.mails) == 1
        else:
            assert took > 1.4 and not state["done"] and state["error"] == "it was not over in time"
            hold.set()


# --- who delivers


def test_two_hosts_deliver_each_mail_exactly_once(postern, smtp):
    with Host(postern, smtp) as one, Host(postern, smtp) as two:
        ids = put_now(postern, n=50)
        until(lambda: postern.sql("SELECT count(*) FROM outbox WHERE done_at IS NULL") == [(0,)], 60, "the end of all")
        assert sorted(ids_of(smtp)) == sorted(ids)
        assert postern.sql("SELECT max(attempts) FROM outbox") == [(1,)]
        shares = [int(h.metric("outbox_done_total")) for h in (one, two)]
        print(f"{shares[0]} and {shares[1]}")
        assert sum(shares) == 50 and min(shares) > 0


def test_without_a_server_mails_wait_until_there_is_one(postern, smtp):
    with Host(postern, None) as host:
        done = host.mail()
        assert (done.returncode, done.stderr) == (75, "posternctl: waiting: mail.smtp_url is empty\n")
        put_now(postern)
        line = host.log_until("outbox_waits")
        assert line["mail"] == "mail.smtp_url is empty"
        put_now(postern)
        put_now(postern)
        until(lambda: postern.sql("SELECT count(*) FROM outbox") == [(4,)], 5)
        host.write(mail_smtp_url=smtp.url)
        assert host.ctl("reload").returncode == 0
        until(lambda: postern.sql("SELECT count(*) FROM outbox WHERE done_at IS NULL") == [(0,)], 10, "the mails")
        assert len(smtp.mails) == 4
        assert len(host.log("outbox_waits")) == 1
        assert postern.sql("SELECT max(attempts) FROM outbox") == [(1,)]


def test_rows_of_a_newer_program_wait_for_it(postern, smtp, host):
    put_now(postern, kind="pigeon")
    sent = put_now(postern)
    until(lambda: smtp.mails, 5, "the mail")
    host.log_until("outbox_waits")
    assert ids_of(smtp) == sent
    assert postern.sql("SELECT attempts FROM outbox WHERE kind = 'pigeon'") == [(0,)]


def test_what_ended_is_taken_away_after_a_week(postern, smtp, host):
    done, refused, fresh, waits = put_now(postern, n=4, kind="pigeon")
    postern.sql("UPDATE outbox SET done_at = now() - interval '8 days' WHERE id = %s", [done])
    postern.sql("UPDATE outbox SET gave_up_at = now() - interval '8 days' WHERE id = %s", [refused])
    postern.sql("UPDATE outbox SET done_at = now() - interval '6 days' WHERE id = %s", [fresh])
    postern.sql("UPDATE outbox SET created_at = now() - interval '80 days' WHERE id = %s", [waits])
    os.kill(host.keeper(), signal.SIGKILL)  # the next one looks when it begins
    until(lambda: {r[0] for r in postern.sql("SELECT id::text FROM outbox")} == {fresh, waits}, 10, "the end of the old")


# --- TLS and passwords


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    cert, context = certificate(directory)
    for path in (directory, directory.parent, directory.parent.parent):
        path.chmod(0o755)
    return cert, context


def test_tls_is_taken_when_it_is_offered(postern, tls):
    with Smtp(tls[1]) as smtp, Host(postern, smtp) as host:
        assert host.mail().returncode == 0
        assert smtp.mails[0].tls


@pytest.mark.parametrize("offers", [True, False])
def test_a_server_that_must_prove_itself_and_cannot_gets_no_mail(postern, tls, offers):
    with Smtp(tls[1] if offers else None) as smtp, Host(postern, smtp, mail_starttls="demanded") as host:
        done = host.mail()
        assert done.returncode == 75 and "waiting to be tried again" in done.stderr
        assert ("certificate" in done.stderr) == offers
        assert not smtp.mails and not any(line.startswith("MAIL") for line in smtp.lines)


def test_a_server_that_proves_itself_gets_it(postern, tls):
    with Smtp(tls[1]) as smtp, Host(postern, smtp, mail_starttls="demanded", mail_ca_file=tls[0]) as host:
        assert host.mail().returncode == 0
        assert smtp.mails[0].tls
    with Smtp(tls[1], at_once=True) as smtp, Host(postern, smtp, mail_ca_file=tls[0]) as host:
        assert host.mail().returncode == 0
        assert smtp.mails[0].tls
    with Smtp(tls[1], at_once=True) as smtp, Host(postern, smtp) as host:
        assert host.mail().returncode == 75
        assert not smtp.mails


def test_a_password_is_told_to_none_but_a_server_that_proved_itself(postern, tls):
    secret = "user%40example.org:s3cr%3At"
    with Smtp(tls[1], auth=True) as smtp, \
            Host(postern, None, mail_smtp_url=smtp.login_url(secret), mail_ca_file=tls[0]) as host:
        assert host.mail().returncode == 0
        assert (smtp.mails[0].login, smtp.mails[0].tls) == ("user@example.org:s3cr:t", True)
        smtp.say["AUTH"] = "535 5.7.8 no"
        done = host.mail()
        assert (done.returncode, done.stderr) == (75, "posternctl: waiting to be tried again: 535 5.7.8 no\n")
        assert "s3cr" not in host.log_text() + host.ctl("settings").stdout
    for context in None, tls[1]:  # nobody's, and one that nobody trusts
        with Smtp(context, auth=True) as smtp, Host(postern, None, mail_smtp_url=smtp.login_url(secret)) as host:
            assert host.mail().returncode == 75
            assert not smtp.mails and not any(line.startswith("AUTH") for line in smtp.lines)


# --- the command


@pytest.mark.parametrize("args", [["mail"], ["mail", "--to"], ["mail", "--to", "a@example.org", "more"],
                                  ["mail", "--to", "a@example.org", "--wait", "x"], ["outbox", "more"]])
def test_a_wrong_command_line_is_refused(args):
    done = subprocess.run([POSTERNCTL, "--config", "/dev/null", *args], check=False, text=True,
                          capture_output=True, timeout=10)
    assert done.returncode == 64 and done.stderr and not done.stdout


def test_a_test_mail_that_nobody_takes_up_waits(postern, smtp, host):
    host.stop()
    done = host.mail("--wait", "1")
    assert (done.returncode, done.stderr) == (75, "posternctl: waiting: no server has taken it up yet\n")
