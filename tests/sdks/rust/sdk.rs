//! The main flows of the official SDK against a running service, each with an application and a
//! receiver of its own.
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::time::{Duration, SystemTime};

use chrono::Utc;
use js_option::JsOption;
use receiver::{eventually, Receiver};
use serde_json::json;
use svix::api::*;
use svix::models::*;
use svix::{Error, Result};

const WITH_CONTENT: Option<bool> = Some(true); // contents come only when asked for

fn connect(token: &str) -> Svix {
    let options = SvixOptions {
        server_url: Some(env::var("SUREHOOK_URL").unwrap()),
        // Retries would hide what the service answers.
        retry_schedule: Some(Vec::new()),
        ..Default::default()
    };
    Svix::new(token.to_owned(), Some(options))
}

fn api() -> Svix {
    connect(&env::var("SUREHOOK_TOKEN").unwrap())
}

fn unique(prefix: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("{prefix}-{}", now.as_nanos())
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// The error must be the service's answer with this status.
fn refused<T: std::fmt::Debug>(result: Result<T>, status: u16) {
    match result {
        Err(Error::Http(answer)) => assert_eq!(answer.status.as_u16(), status),
        other => panic!("{status} was expected: {other:?}"),
    }
}

async fn new_app(api: &Svix) -> String {
    api.application().create(ApplicationIn::new("SDK".into()), None).await.unwrap().id
}

/// An application with one endpoint at a receiver.
struct Subscription {
    api: Svix,
    receiver: Receiver,
    app: String,
    endpoint: String,
}

impl Subscription {
    async fn new() -> Self {
        let (api, receiver) = (api(), Receiver::open().await);
        let app = new_app(&api).await;
        let wish = EndpointIn::new(receiver.url.clone());
        let endpoint = api.endpoint().create(app.clone(), wish, None).await.unwrap().id;
        Self { api, receiver, app, endpoint }
    }

    fn ids(&self) -> (String, String) {
        (self.app.clone(), self.endpoint.clone())
    }

    async fn key(&self) -> String {
        let (app, endpoint) = self.ids();
        self.api.endpoint().get_secret(app, endpoint).await.unwrap().key
    }

    async fn send(&self) -> String {
        send(&self.api, &self.app, 1).await
    }

    /// The attempts of a message, once there are `count` of them; newest first.
    async fn attempts(&self, msg: &str, count: usize) -> Vec<MessageAttemptOut> {
        eventually(|| async {
            let options =
                MessageAttemptListByMsgOptions { with_content: WITH_CONTENT, ..Default::default() };
            let attempts = self.api.message_attempt();
            let page = attempts.list_by_msg(self.app.clone(), msg.into(), Some(options)).await;
            Some(page.unwrap().data).filter(|rows| rows.len() >= count)
        })
        .await
    }

    async fn destination(&self, msg: &str) -> Option<MessageEndpointOut> {
        let attempts = self.api.message_attempt();
        let page = attempts.list_attempted_destinations(self.app.clone(), msg.into(), None).await;
        page.unwrap().data.pop()
    }
}

fn message(n: u32) -> MessageIn {
    MessageIn::new("order.placed".into(), json!({ "n": n }))
}

async fn send(api: &Svix, app: &str, n: u32) -> String {
    api.message().create(app.into(), message(n), None).await.unwrap().id
}

#[tokio::test]
async fn health_answers() {
    api().health().get().await.unwrap();
}

#[tokio::test]
async fn an_application_is_created_found_changed_and_deleted() {
    let (api, uid) = (api(), unique("shop"));
    let apps = api.application();
    let wish = ApplicationIn {
        uid: Some(uid.clone()),
        metadata: Some(map(&[("a", "1")])),
        ..ApplicationIn::new("Shop".into())
    };
    let made = apps.create(wish.clone(), None).await.unwrap();
    refused(apps.create(wish.clone(), None).await, 409);
    assert_eq!(apps.get_or_create(wish.clone(), None).await.unwrap().id, made.id);
    assert_eq!(apps.get(uid.clone()).await.unwrap().id, made.id);

    let change = ApplicationPatch {
        name: Some("Patched".into()),
        uid: JsOption::Null,
        ..ApplicationPatch::new()
    };
    let patched = apps.patch(uid.clone(), change).await.unwrap();
    assert_eq!((patched.name.as_str(), patched.uid), ("Patched", None));
    assert_eq!(patched.metadata, map(&[("a", "1")]));
    let put = apps.upsert(made.id.clone(), wish).await.unwrap();
    assert_eq!((put.id, put.uid), (made.id.clone(), Some(uid.clone())));

    apps.delete(uid).await.unwrap();
    refused(apps.get(made.id).await, 404);
}

#[tokio::test]
async fn applications_are_listed_page_by_page() {
    let api = api();
    let made = [new_app(&api).await, new_app(&api).await, new_app(&api).await];
    let (mut seen, mut iterator) = (Vec::new(), None);
    loop {
        let options = ApplicationListOptions { limit: Some(2), iterator, ..Default::default() };
        let page = api.application().list(Some(options)).await.unwrap();
        seen.extend(page.data.into_iter().map(|app| app.id).filter(|id| made.contains(id)));
        iterator = page.iterator;
        if page.done {
            break;
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn an_event_type_is_created_changed_listed_and_archived() {
    let (api, name) = (api(), unique("invoice.paid"));
    let types = api.event_type();
    let wish = EventTypeIn::new(name.clone(), "Paid".into());
    types.create(wish.clone(), None).await.unwrap();
    refused(types.create(wish, None).await, 409);
    let change = EventTypePatch { description: Some("Patched".into()), ..EventTypePatch::new() };
    types.patch(name.clone(), change).await.unwrap();
    assert_eq!(types.get(name.clone()).await.unwrap().description, "Patched");
    let put = types.upsert(name.clone(), EventTypeUpsertIn::new("Put".into())).await.unwrap();
    assert_eq!(put.description, "Put");

    let listed = |archived| {
        let options = EventTypeListOptions {
            limit: Some(250),
            include_archived: Some(archived),
            ..Default::default()
        };
        let (page, name) = (types.list(Some(options)), name.clone());
        async move { page.await.unwrap().data.iter().any(|row| row.name == name) }
    };
    assert!(listed(false).await);
    types.delete(name.clone(), None).await.unwrap();
    assert!(!listed(false).await && listed(true).await);
}

#[tokio::test]
async fn an_endpoint_is_created_changed_listed_and_deleted() {
    let (api, kind) = (api(), unique("type"));
    let (app, endpoints) = (new_app(&api).await, api.endpoint());
    let of_this_test = EventTypeIn::new(kind.clone(), "Of this test".into());
    api.event_type().create(of_this_test, None).await.unwrap();
    let url = "http://127.0.0.1:1/".to_owned();
    let wish = EndpointIn {
        uid: Some("billing".into()),
        event_types: Some(set(&[&kind])),
        channels: Some(set(&["eu"])),
        ..EndpointIn::new(url.clone())
    };
    let made = endpoints.create(app.clone(), wish, None).await.unwrap();
    assert_eq!((made.event_types, made.channels), (Some(set(&[&kind])), Some(set(&["eu"]))));

    let change =
        EndpointPatch { disabled: Some(true), event_types: JsOption::Null, ..EndpointPatch::new() };
    let patched = endpoints.patch(app.clone(), "billing".into(), change).await.unwrap();
    assert_eq!((patched.disabled, patched.event_types), (Some(true), None));
    assert_eq!(patched.channels, Some(set(&["eu"])));
    let wish = EndpointUpsertIn::new(url);
    let put = endpoints.upsert(app.clone(), made.id.clone(), wish).await.unwrap();
    assert_eq!((put.disabled, put.channels), (Some(false), None));

    assert_eq!(endpoints.list(app.clone(), None).await.unwrap().data[0].id, made.id);
    endpoints.delete(app.clone(), made.id.clone()).await.unwrap();
    refused(endpoints.get(app, made.id).await, 404);
}

#[tokio::test]
async fn headers_of_an_endpoint_are_sent_and_its_credentials_are_not_shown() {
    let s = Subscription::new().await;
    let endpoints = s.api.endpoint();
    let (app, endpoint) = s.ids();
    let wish =
        EndpointHeadersIn::new(map(&[("x-tenant", "7"), ("authorization", "Bearer s3cret")]));
    endpoints.set_headers(app.clone(), endpoint.clone(), wish).await.unwrap();
    let shown = endpoints.get_headers(app.clone(), endpoint.clone()).await.unwrap();
    assert_eq!(
        (shown.headers, shown.sensitive),
        (map(&[("x-tenant", "7")]), set(&["authorization"]))
    );
    let more = EndpointHeadersPatchIn::new(map(&[("x-zone", "eu")]));
    endpoints.patch_headers(app, endpoint, more).await.unwrap();
    s.send().await;
    let delivery = s.receiver.wait(1).await.remove(0);
    for (name, value) in [("x-tenant", "7"), ("x-zone", "eu"), ("authorization", "Bearer s3cret")] {
        assert_eq!(delivery.header(name), value);
    }
}

#[tokio::test]
async fn a_delivery_verifies_by_either_set_of_headers_and_not_when_altered() {
    let s = Subscription::new().await;
    let id = s.send().await;
    let mut delivery = s.receiver.wait(1).await.remove(0);
    delivery.verified(&s.key().await);
    assert_eq!(delivery.header("webhook-id"), id);
    assert_eq!(delivery.body, br#"{"n":1}"#);
    delivery.body.push(b' ');
    assert!(delivery.verify(&s.key().await, "svix-").is_err());
}

#[tokio::test]
async fn a_repeated_event_id_is_a_conflict() {
    let api = api();
    let app = new_app(&api).await;
    let wish = MessageIn { event_id: Some("evt-1".into()), ..message(1) };
    let made = api.message().create(app.clone(), wish.clone(), None).await.unwrap();
    refused(api.message().create(app.clone(), wish, None).await, 409);
    assert_eq!(api.message().get(app, "evt-1".into(), None).await.unwrap().id, made.id);
}

#[tokio::test]
async fn messages_are_listed_and_read_with_or_without_content() {
    let api = api();
    let app = new_app(&api).await;
    let mut newest = Vec::new();
    for n in 0..3 {
        newest.insert(0, send(&api, &app, n).await);
    }
    let (mut listed, mut iterator) = (Vec::new(), None);
    loop {
        let options = MessageListOptions { limit: Some(2), iterator, ..Default::default() };
        let page = api.message().list(app.clone(), Some(options)).await.unwrap();
        listed.extend(page.data.into_iter().map(|row| row.id));
        iterator = page.iterator;
        if page.done {
            break;
        }
    }
    assert_eq!(listed, newest);
    for (with_content, payload) in [(true, json!({ "n": 2 })), (false, json!({}))] {
        let options = MessageGetOptions { with_content: Some(with_content) };
        let read = api.message().get(app.clone(), newest[0].clone(), Some(options)).await.unwrap();
        assert_eq!(read.payload, payload);
    }
}

#[tokio::test]
async fn after_a_rotation_the_old_and_the_new_secret_verify() {
    let s = Subscription::new().await;
    let (app, endpoint) = s.ids();
    let old = s.key().await;
    let any = EndpointSecretRotateIn::new();
    s.api.endpoint().rotate_secret(app, endpoint, any, None).await.unwrap();
    assert_ne!(s.key().await, old);
    s.send().await;
    let delivery = s.receiver.wait(1).await.remove(0);
    delivery.verified(&s.key().await);
    delivery.verified(&old);
}

#[tokio::test]
async fn attempts_are_listed_by_endpoint_and_by_message() {
    let s = Subscription::new().await;
    let (app, endpoint) = s.ids();
    let msg = s.send().await;
    let row = s.attempts(&msg, 1).await.remove(0);
    assert_eq!((row.status, row.response_status_code), (MessageStatus::Success, 200));
    assert_eq!((row.response.as_str(), &row.endpoint_id), ("heard", &endpoint));
    let attempts = s.api.message_attempt();
    let read = attempts.get(app.clone(), msg.clone(), row.id.clone(), None).await.unwrap();
    assert_eq!(read.id, row.id);

    let options = MessageAttemptListByEndpointOptions {
        status: Some(MessageStatus::Success),
        ..Default::default()
    };
    let page = attempts.list_by_endpoint(app.clone(), endpoint.clone(), Some(options)).await;
    assert_eq!(page.unwrap().data[0].id, row.id);
    let messages = attempts.list_attempted_messages(app, endpoint.clone(), None).await;
    assert_eq!(messages.unwrap().data[0].id, msg);
    assert_eq!(s.destination(&msg).await.unwrap().id, endpoint);
}

#[tokio::test]
async fn a_message_is_sent_again_by_hand() {
    let s = Subscription::new().await;
    let (app, endpoint) = s.ids();
    let msg = s.send().await;
    s.attempts(&msg, 1).await;
    s.api.message_attempt().resend(app, msg.clone(), endpoint, None).await.unwrap();
    let again = s.receiver.wait(2).await.remove(1);
    again.verified(&s.key().await);
    assert_eq!(again.header("webhook-id"), msg);
    assert_eq!(s.attempts(&msg, 2).await[0].trigger_type, MessageAttemptTriggerType::Manual);
}

#[tokio::test]
async fn what_failed_for_good_is_recovered() {
    let s = Subscription::new().await;
    let (app, endpoint) = s.ids();
    s.receiver.answer(500);
    let msg = s.send().await;
    eventually(|| async {
        s.destination(&msg).await.filter(|place| place.status == MessageStatus::Fail)
    })
    .await;
    let tried = s.receiver.deliveries().len();
    s.receiver.answer(200);
    let since = RecoverIn::new(Utc::now() - Duration::from_secs(60));
    let task = s.api.endpoint().recover(app, endpoint, since, None).await.unwrap();
    let delivery = s.receiver.wait(tried + 1).await.remove(tried);
    delivery.verified(&s.key().await);
    assert_eq!(delivery.header("webhook-id"), msg);
    eventually(|| async {
        let now = s.api.background_task().get(task.id.clone()).await.unwrap();
        Some(()).filter(|()| now.status == BackgroundTaskStatus::Finished)
    })
    .await;
}

#[tokio::test]
async fn refusals_arrive_as_the_sdks_error() {
    refused(connect("not-a-token").application().list(None).await, 401);
    let wish = ApplicationIn { uid: Some("no spaces".into()), ..ApplicationIn::new("x".into()) };
    let Err(Error::Validation(answer)) = api().application().create(wish, None).await else {
        panic!("422 was expected");
    };
    assert_eq!(answer.payload.unwrap().detail[0].loc, ["body", "uid"]);
}
