"""The same load as a Locust file, for whoever drives load from several machines (https://locust.io)."""

from frontdesk.operate.load.orders import Orders
from frontdesk.operate.load.shapes import SHAPES

STEPS = 60  # of a shape over a run

_WEB = '''\
"""People on a desk's web chat. Each waits for an answer before writing again.

    locust -f {file} --headless --host {address}{size}
"""

from itertools import count

from locust import HttpUser, LoadTestShape, between, task

numbers = count(1)


class Visitor(HttpUser):
    wait_time = between({least:g}, {most:g})
    conversation_id = None

    @task
    def ask(self):
        number = next(numbers)
        body = {{"text": f"n:{{number}} Could you tell me when the desk opens and what a visit costs?"}}
        if self.conversation_id:
            body["conversation_id"] = self.conversation_id
        with self.client.post("/api/v1/chat", json=body, headers={{"X-Frontdesk": "1"}}, catch_response=True) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {{answer.status_code}}")
                return
            reply = answer.json()
            self.conversation_id = reply["conversation_id"]
            if reply["message"]["state"] != "complete":
                answer.failure(reply["message"]["state"])
{shape}'''

_TELEGRAM = '''\
"""Updates as Telegram posts them: this measures how soon the desk takes them, not when it replies.

    TELEGRAM_WEBHOOK_SECRET=… locust -f {file} --headless --host {address}{size}
"""

import os
from itertools import count

from locust import HttpUser, LoadTestShape, between, task

SECRET = {{"X-Telegram-Bot-Api-Secret-Token": os.environ.get("TELEGRAM_WEBHOOK_SECRET", "")}}
numbers = count(1)
chats = count(1_000_000)


class Writer(HttpUser):
    wait_time = between({least:g}, {most:g})

    def on_start(self):
        self.chat = next(chats)

    @task
    def write(self):
        number = next(numbers)
        message = {{
            "message_id": number,
            "date": 0,
            "chat": {{"id": self.chat, "type": "private", "first_name": "Load"}},
            "from": {{"id": self.chat, "is_bot": False, "first_name": "Load"}},
            "text": f"n:{{number}} Could you tell me when the desk opens and what a visit costs?",
        }}
        self.client.post("/webhook", json={{"update_id": number, "message": message}}, headers=SECRET)
{shape}'''

_SHAPE = '''

class Shape(LoadTestShape):
    """{name}: after so many seconds, so many people."""

    steps = {steps}

    def tick(self):
        passed = self.get_run_time()
        people = [people for second, people in self.steps if second <= passed]
        return (people[-1], {rate}) if people and passed < {seconds:g} else None
'''


def locustfile(orders: Orders, channel: str, address: str, file: str) -> str:
    """The file's text."""
    template = _WEB if channel == "web" else _TELEGRAM
    rate = max(1, orders.people // 20)
    size = f" -u {orders.people} -r {rate} -t {orders.seconds:g}s"
    shape = ""
    if orders.shape == "steady":
        template = template.replace("HttpUser, LoadTestShape, between", "HttpUser, between")
    else:
        share, size = SHAPES[orders.shape], ""
        steps = [
            (round(orders.seconds * step / STEPS, 1), round(share(step / STEPS) * orders.people))
            for step in range(STEPS)
        ]
        lines = "".join(f"        {pair},\n" for pair in steps)
        shape = _SHAPE.format(
            name=orders.shape, steps=f"[\n{lines}    ]", rate=max(rate, orders.people), seconds=orders.seconds
        )
    return template.format(file=file, address=address, least=orders.least, most=orders.most, size=size, shape=shape)
