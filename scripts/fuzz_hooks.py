"""Makes the random requests of scripts/fuzz-api reach money: schemathesis loads this file.

A random account, order or payment is nobody's, and such a request ends at 403 or 404. So a
good part of the requests that fit their schemas get ids of the stage: accounts with money,
merchants with payments, orders in every state. What breaks its schema on purpose, and what a
link has led to, stays as it is. The choice follows from the request alone: the seed that
repeats the requests repeats it.

At the end it prints how each operation was answered, and writes that to FUZZ_COUNTS.
"""
import atexit
import collections
import json
import os
import time
import urllib.request
import zlib

import schemathesis
from schemathesis.generation import GenerationMode

CORE = os.environ["FUZZ_CORE"]
COUNTS = os.environ["FUZZ_COUNTS"]
KINDS = {"withdraw": "withdrawOrderId", "settlement": "settlementOrderId", "refund": "refundOrderId"}
# As `sluice-drill up --load` makes them.
ACCOUNTS = [f"A{n:05}" for n in range(400)]
PAYMENTS = [{"accountId": f"M{n % 20:04}", "paymentNo": f"paid-{n}", "toAccountId": f"payer-paid-{2 * n + 1}"}
            for n in range(200)]
MERCHANTS = sorted({payment["accountId"] for payment in PAYMENTS})
CHANNELS = ["netsunion", "unionpay", "psp"]
ENDS = {"success", "failed", "returned"}
# Orders of each kind that must have ended before the run begins.
WANTED = 10
DEADLINE_S = 180

answers = collections.defaultdict(collections.Counter)


def listed():
    """Orders of the stage by kind, as its own listing has them."""
    orders, after = {kind: [] for kind in KINDS}, ""
    while after is not None:
        with urllib.request.urlopen(f"{CORE}/withdraw?limit=500&after={after}", timeout=10) as reply:
            page = json.load(reply)["data"]
        for order in page["orders"]:
            for kind, name in KINDS.items():
                if name in order:
                    orders[kind].append((order[name], order["status"]))
        after = page["next"]
    return orders


def wait_for_orders():
    until = time.monotonic() + DEADLINE_S
    while True:
        orders = listed()
        ended = {kind: [id for id, status in all if status in ENDS] for kind, all in orders.items()}
        if all(len(ids) >= WANTED for ids in ended.values()):
            return {kind: [id for id, _ in all][:500] for kind, all in orders.items()}, ended
        if time.monotonic() > until:
            raise SystemExit(f"fuzz-api: too few orders: { {k: len(v) for k, v in ended.items()} }")
        time.sleep(1)


def post(url, body, headers):
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)["data"]


def ask(path, body):
    return post(CORE + path, body, {"idempotent-key": f"held-{time.time_ns()}"})


def held():
    """Orders that can be cancelled, for as long as the run: breakers keep them from being sent."""
    merchant = PAYMENTS[0]
    with open(os.environ["FUZZ_TOKEN_FILE"], encoding="utf-8") as file:
        bearer = {"Authorization": f"Bearer {file.read().strip()}"}
    for point, account in [("cash_out", "F-held"), ("settlement", merchant["accountId"]),
                           ("refund", merchant["accountId"])]:
        url = f"{os.environ['FUZZ_SIDECAR']}/breakers/{point}/account/{account}/trip"
        post(url, {"by": "fuzz-api", "reason": "orders to cancel"}, bearer)
    ask("/deposit", {"accountId": "F-held", "amount": "500.00", "bizNo": "fund-F-held"})
    # The cores know of a breaker as soon as the fence has told them.
    time.sleep(2)
    orders = collections.defaultdict(list)
    for _ in range(WANTED):
        for kind, body in [
            ("withdraw", {"fromAccountId": "F-held", "toAccountId": "payee", "channel": "psp"}),
            ("settlement", {key: merchant[key] for key in ["accountId", "paymentNo"]}),
            ("refund", merchant | {"channel": "psp"}),
        ]:
            made = ask(f"/{kind}", body | {"amount": "0.01", "currency": "CNY"})
            orders[kind].append(made[KINDS[kind]])
    return orders


ORDERS, ENDED = wait_for_orders()
HELD = held()


class Dice:
    """Numbers that follow from the request."""

    def __init__(self, case):
        query = sorted((case.query or {}).items(), key=str)
        shown = json.dumps([case.operation.label, case.body, case.path_parameters, query], default=str, sort_keys=True)
        self.state = zlib.crc32(shown.encode())

    def below(self, bound):
        self.state = (self.state * 1_103_515_245 + 12_345) % 2**31
        return (self.state >> 8) % bound

    def often(self):
        return self.below(8) > 0

    def of(self, all):
        return all[self.below(len(all))]


def is_left_alone(case):
    meta = case.meta
    if meta is None:
        return True
    fits = meta.generation.mode == GenerationMode.POSITIVE
    return not fits or meta.phase.name.value == "stateful"


@schemathesis.hook
def before_call(context, case, kwargs):
    if is_left_alone(case):
        return
    dice = Dice(case)
    if not dice.often():
        return
    account = known_body(case, dice) if isinstance(case.body, dict) else known_path(case, dice)
    if (case.headers or {}).get("idempotent-key") is not None:
        case.headers["idempotent-key"] = f"fuzz-{dice.below(2**20)}-{dice.below(2**20)}"
    if case.query:
        case.query = known_query(dict(case.query), dice)
    for name in [n for n in (case.headers or {}) if n.lower() == "x-account-id"]:
        del case.headers[name]
    if account and dice.below(4) == 0:
        case.headers["X-Account-Id"] = account
        if isinstance(case.body, dict):
            case.body.pop("userId", None)


def known_body(case, dice):
    """Puts things that are there into the body; returns the account that pays."""
    body, path = dict(case.body), case.operation.path
    for name in ["predecessorId", "channel"]:
        body.pop(name, None)
    body["currency"] = "CNY"
    body["amount"] = f"{dice.below(3)}.{1 + dice.below(99):02}"
    if path.startswith("/withdraw"):
        account = body["fromAccountId"] = dice.of(ACCOUNTS)
        body["channel"] = dice.of(CHANNELS)
    elif path == "/deposit":
        account = body["accountId"] = dice.of(ACCOUNTS)
    else:
        payment = dice.of(PAYMENTS)
        account = body["accountId"] = payment["accountId"]
        body["paymentNo"] = payment["paymentNo"]
        body["amount"] = f"0.{1 + dice.below(9):02}"
        if path == "/refund":
            body["toAccountId"] = payment["toAccountId"]
            body["channel"] = dice.of(CHANNELS)
    # The shortest ids come again and again: a second request under one is refused.
    for name in ["transactionId", "bizNo"]:
        if body.get(name) is None:
            body.pop(name, None)
        elif dice.often():
            body[name] = f"fuzz-{dice.below(2**20)}-{dice.below(2**20)}"
    case.body = body
    return account


def known_path(case, dice):
    """Puts an id that is there into the path; returns the account that it names."""
    if "id" not in (case.path_parameters or {}):
        return None
    first, action = case.operation.path.split("/")[1], case.operation.path.rsplit("/", 1)[-1]
    if first == "accounts":
        account = dice.of(ACCOUNTS + MERCHANTS)
        case.path_parameters = {"id": account}
        return account
    ids = {"ack": ENDED, "renotify": ENDED, "cancel": HELD}.get(action, ORDERS)
    case.path_parameters = {"id": dice.of(ids[first])}
    return None


def known_query(query, dice):
    """Keeps what goes together, and names what is there."""
    ids = [name for name in ("transactionId", "serialNo", "key", "bizNo") if name in query]
    for name in ids[1:] + (["after"] if ids else []):
        query.pop(name, None)
    if "serialNo" in query:
        query["serialNo"] = dice.of(ORDERS["withdraw"]).upper()
    if "currency" in query:
        query["currency"] = "CNY"
    for name in ["after", "from", "to"]:
        if dice.below(4):
            query.pop(name, None)
    return query


@schemathesis.hook
def after_call(context, case, response):
    answers[case.operation.label][f"{response.status_code // 100}xx"] += 1


@atexit.register
def report():
    classes = ["2xx", "4xx", "5xx"]
    lines = [f"{'operation':40}" + "".join(f"{c:>8}" for c in classes)]
    for label in sorted(answers):
        lines.append(f"{label:40}" + "".join(f"{answers[label][c]:>8}" for c in classes))
    print("\n" + "\n".join(lines), flush=True)
    with open(COUNTS, "w", encoding="utf-8") as out:
        json.dump(answers, out)
