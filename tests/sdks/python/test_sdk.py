"""The main flows of the official SDK's older major version against a running service, each with an
application and a receiver of its own."""

import datetime
import json
import os
import unittest
import urllib.request
import uuid

from receiver import Receiver, eventually
from svix.api import (
    ApplicationIn,
    ApplicationListOptions,
    ApplicationPatch,
    EndpointHeadersIn,
    EndpointIn,
    EndpointPatch,
    EndpointSecretRotateIn,
    EndpointUpdate,
    EventTypeIn,
    EventTypeListOptions,
    EventTypeUpdate,
    MessageAttemptListByEndpointOptions,
    MessageCreateOptions,
    MessageIn,
    MessageListOptions,
    OperationalWebhookEndpointIn,
    RecoverIn,
    Svix,
    SvixOptions,
)
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import (
    BackgroundTaskFinishedEvent,
    EndpointCreatedEvent,
    EndpointDeletedEvent,
    EndpointDisabledEvent,
    EndpointEnabledEvent,
    EndpointUpdatedEvent,
    MessageAttemptExhaustedEvent,
    MessageAttemptRecoveredEvent,
)
from svix.webhooks import Webhook, WebhookVerificationError

URL, TOKEN = os.environ["SUREHOOK_URL"], os.environ["SUREHOOK_TOKEN"]


def connect(token):
    # Without the SDK's retries: they would hide what the service answers.
    return Svix(token, SvixOptions(server_url=URL, retry_schedule=[]))


svix = connect(TOKEN)


def uid(prefix):
    return f"{prefix}-{uuid.uuid4()}"


def ago(seconds):
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)


def post(app, payload, event_type="order.placed", **fields):
    return svix.message.create(app, MessageIn(event_type=event_type, payload=payload, **fields))


def pages(listing, options, **fields):
    """The ids of a list to its end, two at a time."""
    ids, iterator = [], None
    while True:
        page = listing(options(limit=2, iterator=iterator, **fields))
        ids += [getattr(row, "id", None) or row.name for row in page.data]
        iterator = page.iterator
        if page.done:
            return ids


def verify(key, delivery):
    """Both sets of headers must verify, each alone."""
    headers, body = delivery
    for prefix in ("svix-", "webhook-"):
        own = {name.lower(): value for name, value in headers.items() if name.lower().startswith(prefix)}
        assert len(own) == 3
        Webhook(key).verify(body, own)


def id_of(delivery):
    return delivery[0]["webhook-id"]


class Flows(unittest.TestCase):
    def new_app(self):
        return svix.application.create(ApplicationIn(name="SDK", uid=uid("app"))).id

    def receiver(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        return receiver

    def subscribed(self, **fields):
        app, receiver = self.new_app(), self.receiver()
        endpoint = svix.endpoint.create(app, EndpointIn(url=receiver.url, **fields)).id
        return app, endpoint, receiver, svix.endpoint.get_secret(app, endpoint).key

    def refused(self, status, call, *args):
        with self.assertRaises((HttpError, HTTPValidationError)) as raised:
            call(*args)
        self.assertEqual(raised.exception.status_code, status)
        return raised.exception

    def test_health_answers(self):
        svix.health.get()

    def test_an_application_is_created_found_changed_and_deleted(self):
        name = uid("shop")
        made = svix.application.create(ApplicationIn(name="Shop", uid=name, metadata={"a": "1"}))
        self.assertRegex(made.id, "^app_[0-9A-Za-z]{27}$")
        self.assertEqual(svix.application.get(name).id, made.id)
        self.assertEqual(svix.application.get_or_create(ApplicationIn(name="Other", uid=name)).id, made.id)
        self.refused(409, svix.application.create, ApplicationIn(name="Twin", uid=name))
        patched = svix.application.patch(made.id, ApplicationPatch(name="Patched"))
        self.assertEqual((patched.name, patched.uid, patched.metadata), ("Patched", name, {"a": "1"}))
        put = svix.application.update(made.id, ApplicationIn(name="Put", uid=name))
        self.assertEqual((put.id, put.name, put.metadata), (made.id, "Put", {}))
        svix.application.delete(name)
        self.refused(404, svix.application.get, made.id)

    def test_applications_are_listed_page_by_page(self):
        made = [self.new_app() for _ in range(5)]
        listed = pages(svix.application.list, ApplicationListOptions)
        self.assertEqual([app for app in listed if app in made], made)
        self.assertEqual(len(set(listed)), len(listed))

    def test_an_event_type_is_created_changed_listed_and_archived(self):
        name, schemas = uid("invoice.paid"), {"1": {"type": "object"}}
        svix.event_type.create(EventTypeIn(name=name, description="Paid", schemas=schemas))
        self.refused(409, svix.event_type.create, EventTypeIn(name=name, description="Twin"))
        self.assertEqual(svix.event_type.get(name).schemas, schemas)
        self.assertEqual(svix.event_type.update(name, EventTypeUpdate(description="Put")).description, "Put")
        svix.event_type.delete(name)
        self.assertNotIn(name, pages(svix.event_type.list, EventTypeListOptions))
        self.assertIn(name, pages(svix.event_type.list, EventTypeListOptions, include_archived=True))

    def test_an_endpoint_is_created_changed_and_deleted(self):
        app, first, receiver, _ = self.subscribed()
        name = uid("type")
        svix.event_type.create(EventTypeIn(name=name, description="Of this test"))
        made = svix.endpoint.create(
            app, EndpointIn(url=receiver.url, uid="billing", channels=["eu"], filter_types=[name]))
        self.assertEqual((made.filter_types, made.channels), ([name], ["eu"]))
        self.assertEqual(svix.endpoint.get(app, "billing").id, made.id)
        patched = svix.endpoint.patch(app, made.id, EndpointPatch(disabled=True, filter_types=None))
        self.assertEqual((patched.disabled, patched.filter_types, patched.channels), (True, None, ["eu"]))
        put = svix.endpoint.update(app, made.id, EndpointUpdate(url=receiver.url))
        self.assertEqual((put.id, put.disabled, put.channels), (made.id, False, None))
        svix.endpoint.delete(app, made.id)
        self.assertEqual([row.id for row in svix.endpoint.list(app).data], [first])

    def test_headers_of_an_endpoint_are_sent_and_its_credentials_are_not_shown(self):
        app, endpoint, receiver, _ = self.subscribed()
        headers = {"X-Tenant": "7", "Authorization": "Bearer s3cret"}
        svix.endpoint.update_headers(app, endpoint, EndpointHeadersIn(headers=headers))
        shown = svix.endpoint.get_headers(app, endpoint)
        self.assertEqual(shown.headers["X-Tenant"], "7")
        self.assertNotIn("s3cret", str(shown))
        post(app, {"n": 1})
        sent = receiver.wait()[0][0]
        self.assertEqual((sent["X-Tenant"], sent["Authorization"]), ("7", "Bearer s3cret"))

    def test_a_delivery_verifies_and_not_when_altered(self):
        app, _, receiver, key = self.subscribed()
        payload = {"text": "grüße ✓", "n": 1.5, "deep": [{"a": None}]}
        message = post(app, payload)
        delivery = receiver.wait()[0]
        verify(key, delivery)
        self.assertEqual((id_of(delivery), json.loads(delivery[1])), (message.id, payload))
        with self.assertRaises(WebhookVerificationError):
            verify(key, (delivery[0], delivery[1] + b" "))

    def test_a_repeated_event_id_is_a_conflict_and_an_idempotency_key_repeats_the_answer(self):
        app, _, receiver, _ = self.subscribed()
        first = post(app, {"n": 1}, event_id="evt-1")
        with self.assertRaises(HttpError) as raised:
            post(app, {"n": 2}, event_id="evt-1")
        self.assertEqual(raised.exception.status_code, 409)
        message, options = MessageIn(event_type="a", payload={}), MessageCreateOptions(idempotency_key=uid("key"))
        second = svix.message.create(app, message, options)
        self.assertEqual(svix.message.create(app, message, options).id, second.id)
        last = post(app, {"n": 3})
        self.assertEqual({id_of(d) for d in receiver.wait(3)}, {first.id, second.id, last.id})

    def test_messages_are_listed_filtered_and_expunged(self):
        app = self.new_app()
        made = [post(app, {"n": n}, "odd" if n % 2 else "even", channels=[f"c{n}"], tags=[f"t{n}"]).id
                for n in range(5)]
        newest = made[::-1]
        self.assertEqual(pages(lambda options: svix.message.list(app, options), MessageListOptions), newest)

        def ids(**fields):
            return [row.id for row in svix.message.list(app, MessageListOptions(**fields)).data]

        self.assertEqual(ids(event_types=["odd"]), [made[3], made[1]])
        self.assertEqual(ids(channel="c2"), [made[2]])
        self.assertEqual(ids(tag="t4"), [made[4]])
        self.assertEqual(ids(after=ago(3600)), newest)
        self.assertEqual(svix.message.get(app, made[3]).payload, {"n": 3})
        svix.message.expunge_content(app, made[3])
        self.assertNotIn("n", svix.message.get(app, made[3]).payload)

    def test_after_a_rotation_the_old_and_the_new_secret_verify(self):
        app, endpoint, receiver, key = self.subscribed()
        svix.endpoint.rotate_secret(app, endpoint, EndpointSecretRotateIn())
        made = svix.endpoint.get_secret(app, endpoint).key
        self.assertNotEqual(made, key)
        post(app, {"n": 1})
        delivery = receiver.wait()[0]
        verify(made, delivery)
        verify(key, delivery)

    def test_attempts_are_listed_and_a_message_is_sent_again_by_hand(self):
        app, endpoint, receiver, key = self.subscribed()
        message = post(app, {"n": 1})
        receiver.wait()
        options = MessageAttemptListByEndpointOptions(status=0)
        attempts = lambda: svix.message_attempt.list_by_endpoint(app, endpoint, options).data
        rows = eventually(attempts)
        self.assertEqual((rows[0].msg_id, rows[0].response_status_code), (message.id, 200))
        self.assertEqual(svix.message_attempt.get(app, message.id, rows[0].id).id, rows[0].id)
        places = svix.message_attempt.list_attempted_destinations(app, message.id).data
        self.assertEqual([(row.id, row.status) for row in places], [(endpoint, 0)])
        svix.message_attempt.resend(app, message.id, endpoint)
        again = receiver.wait(2)[1]
        verify(key, again)
        self.assertEqual(id_of(again), message.id)
        rows = eventually(attempts, lambda rows: len(rows) == 2)
        self.assertEqual([row.trigger_type for row in rows], [1, 0])

    def test_what_failed_for_good_is_recovered(self):
        app, endpoint, receiver, key = self.subscribed()
        receiver.status = 500
        message = post(app, {"n": 1})
        letters = f"{URL}/api/v1/app/{app}/endpoint/{endpoint}/dead-letter"
        request = urllib.request.Request(letters, headers={"authorization": f"Bearer {TOKEN}"})
        eventually(lambda: json.load(urllib.request.urlopen(request))["data"])
        tried = len(receiver.arrived)
        self.assertEqual(tried, 3)
        receiver.status = 200
        task = svix.endpoint.recover(app, endpoint, RecoverIn(since=ago(60)))
        delivery = receiver.wait(tried + 1)[-1]
        verify(key, delivery)
        self.assertEqual(id_of(delivery), message.id)
        eventually(lambda: svix.background_task.get(task.id).status == "finished")

    def test_operational_events_are_those_that_the_sdk_knows(self):
        listener = self.receiver()
        known = {
            "background_task.finished": BackgroundTaskFinishedEvent,
            "endpoint.created": EndpointCreatedEvent,
            "endpoint.deleted": EndpointDeletedEvent,
            "endpoint.disabled": EndpointDisabledEvent,
            "endpoint.enabled": EndpointEnabledEvent,
            "endpoint.updated": EndpointUpdatedEvent,
            "message.attempt.exhausted": MessageAttemptExhaustedEvent,
            "message.attempt.recovered": MessageAttemptRecoveredEvent,
        }
        group = svix.operational_webhook.endpoint
        made = group.create(OperationalWebhookEndpointIn(url=listener.url, filter_types=list(known)))
        self.addCleanup(group.delete, made.id)
        key = group.get_secret(made.id).key

        def told():
            return [known[json.loads(body)["type"]].model_validate_json(body) for _, body in listener.arrived]

        app, endpoint, receiver, _ = self.subscribed()
        receiver.status = 500
        message = post(app, {"n": 1}, event_id="order-1")
        eventually(lambda: [e for e in told() if isinstance(e, MessageAttemptExhaustedEvent)])
        receiver.status = 200
        task = svix.endpoint.recover(app, endpoint, RecoverIn(since=ago(60)))
        eventually(lambda: [e for e in told() if isinstance(e, MessageAttemptRecoveredEvent)])
        svix.endpoint.patch(app, endpoint, EndpointPatch(disabled=True))
        svix.endpoint.patch(app, endpoint, EndpointPatch(disabled=False))
        svix.endpoint.delete(app, endpoint)
        eventually(lambda: {type(event) for event in told()}, lambda types: types == set(known.values()))
        for delivery in listener.arrived:
            verify(key, delivery)
        ended = [e.data for e in told() if isinstance(e, BackgroundTaskFinishedEvent)]
        self.assertIn((task.id, "finished"), [(e.task_id, e.status) for e in ended])
        for kind, status in ((MessageAttemptExhaustedEvent, 500), (MessageAttemptRecoveredEvent, 200)):
            data = [e.data for e in told() if isinstance(e, kind) and e.data.app_id == app][0]
            self.assertEqual((data.msg_id, data.msg_event_id, data.endpoint_id), (message.id, "order-1", endpoint))
            self.assertEqual(data.last_attempt.response_status_code, status)

    def test_refusals_arrive_as_the_errors_of_the_sdk(self):
        self.assertEqual(self.refused(404, svix.application.get, "app_" + "0" * 27).code, "not_found")
        self.assertEqual(self.refused(401, connect("no").application.list).code, "authentication_failed")
        invalid = self.refused(422, svix.application.create, ApplicationIn(name="x", uid="no spaces"))
        self.assertEqual(invalid.detail[0].loc, ["body", "uid"])


if __name__ == "__main__":
    unittest.main()
