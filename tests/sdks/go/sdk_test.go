// Package sdk runs the main flows of the official SDK against a running service, each with an
// application and a receiver of its own.
package sdk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
	"github.com/svix/svix-webhooks/go/utils"
)

var (
	ctx  = context.Background()
	api  = connect(os.Getenv("SUREHOOK_TOKEN"))
	none = []string(nil)
)

// Without the SDK's retries: they would hide what the service answers.
func connect(token string) *svix.Svix {
	server, err := url.Parse(os.Getenv("SUREHOOK_URL"))
	if err != nil {
		panic(err)
	}
	never := []time.Duration{}
	client, err := svix.New(token, &svix.SvixOptions{ServerUrl: server, RetrySchedule: &never})
	if err != nil {
		panic(err)
	}
	return client
}

func ptr[T any](value T) *T { return &value }

// must(call())(t) is the call's value, or the end of the test.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return value
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		var answer *svix.Error
		if errors.As(err, &answer) {
			t.Fatalf("%v: %s", err, answer.Body())
		}
		t.Fatal(err)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// The error must be the service's answer with this status and a body that contains `part`.
func refused(t *testing.T, err error, status int, part string) {
	t.Helper()
	var answer *svix.Error
	if !errors.As(err, &answer) || answer.Status() != status {
		t.Fatalf("got %v, want %d", err, status)
	}
	if !strings.Contains(string(answer.Body()), part) {
		t.Fatalf("%s lacks %s", answer.Body(), part)
	}
}

func unique(prefix string) string { return fmt.Sprintf("%s-%d", prefix, time.Now().UnixNano()) }

func newApp(t *testing.T) string {
	t.Helper()
	return must(api.Application.Create(ctx, models.ApplicationIn{Name: "SDK"}, nil))(t).Id
}

// An application with one endpoint at a receiver.
type subscription struct {
	*receiver
	app, endpoint, key string
}

func subscribe(t *testing.T) subscription {
	t.Helper()
	r := newReceiver(t)
	app := newApp(t)
	endpoint := must(api.Endpoint.Create(ctx, app, models.EndpointIn{Url: r.url}, nil))(t).Id
	return subscription{r, app, endpoint, must(api.Endpoint.GetSecret(ctx, app, endpoint))(t).Key}
}

func message(n int) models.MessageIn {
	return models.MessageIn{EventType: "order.placed", Payload: map[string]any{"n": float64(n)}}
}

func send(t *testing.T, app string, n int) string {
	t.Helper()
	return must(api.Message.Create(ctx, app, message(n), nil))(t).Id
}

// The attempts of a message, once there are `count` of them; newest first.
func attempts(t *testing.T, app, msg string, count int) []models.MessageAttemptOut {
	t.Helper()
	var rows []models.MessageAttemptOut
	eventually(t, func() bool {
		rows = must(api.MessageAttempt.ListByMsg(ctx, app, msg, nil))(t).Data
		return len(rows) >= count
	})
	return rows
}

func Test_health_answers(t *testing.T) {
	ok(t, api.Health.Get(ctx))
}

func Test_an_application_is_created_found_changed_and_deleted(t *testing.T) {
	uid := unique("shop")
	in := models.ApplicationIn{Name: "Shop", Uid: &uid, Metadata: &map[string]string{"a": "1"}}
	made := must(api.Application.Create(ctx, in, nil))(t)
	_, err := api.Application.Create(ctx, in, nil)
	refused(t, err, http.StatusConflict, "conflict")
	equal(t, must(api.Application.GetOrCreate(ctx, in, nil))(t).Id, made.Id)
	equal(t, must(api.Application.Get(ctx, uid))(t).Id, made.Id)

	change := models.ApplicationPatch{Name: ptr("Patched"), Uid: utils.NewNullableFromPtr[string](nil)}
	patched := must(api.Application.Patch(ctx, uid, change))(t)
	equal(t, patched.Name, "Patched")
	equal(t, patched.Uid, (*string)(nil))
	equal(t, patched.Metadata, map[string]string{"a": "1"})
	put := must(api.Application.Update(ctx, made.Id, models.ApplicationIn{Name: "Put", Uid: &uid}))(t)
	equal(t, []string{put.Id, put.Name, *put.Uid}, []string{made.Id, "Put", uid})

	ok(t, api.Application.Delete(ctx, uid))
	_, err = api.Application.Get(ctx, made.Id)
	refused(t, err, http.StatusNotFound, "not_found")
}

func Test_applications_are_listed_page_by_page(t *testing.T) {
	made := []string{newApp(t), newApp(t), newApp(t)}
	seen := map[string]int{}
	for o := (svix.ApplicationListOptions{Limit: ptr(uint64(2))}); ; {
		page := must(api.Application.List(ctx, &o))(t)
		for _, app := range page.Data {
			seen[app.Id]++
		}
		if page.Done {
			break
		}
		o.Iterator = page.Iterator
	}
	for _, id := range made {
		equal(t, seen[id], 1)
	}
}

func Test_an_event_type_is_created_changed_listed_and_archived(t *testing.T) {
	name := unique("invoice.paid")
	in := models.EventTypeIn{Name: name, Description: "Paid"}
	must(api.EventType.Create(ctx, in, nil))(t)
	_, err := api.EventType.Create(ctx, in, nil)
	refused(t, err, http.StatusConflict, "conflict")
	must(api.EventType.Patch(ctx, name, models.EventTypePatch{Description: ptr("Patched")}))(t)
	equal(t, must(api.EventType.Get(ctx, name))(t).Description, "Patched")
	must(api.EventType.Update(ctx, name, models.EventTypeUpdate{Description: "Put"}))(t)

	listed := func(archived bool) bool {
		o := svix.EventTypeListOptions{Limit: ptr(uint64(250)), IncludeArchived: &archived}
		for _, row := range must(api.EventType.List(ctx, &o))(t).Data {
			if row.Name == name {
				return row.Description == "Put"
			}
		}
		return false
	}
	equal(t, listed(false), true)
	ok(t, api.EventType.Delete(ctx, name, nil))
	equal(t, listed(false), false)
	equal(t, listed(true), true)
}

func Test_an_endpoint_is_created_changed_listed_and_deleted(t *testing.T) {
	app, kind := newApp(t), unique("type")
	in := models.EventTypeIn{Name: kind, Description: "Of this test"}
	must(api.EventType.Create(ctx, in, nil))(t)
	made := must(api.Endpoint.Create(ctx, app, models.EndpointIn{
		Url:         "http://127.0.0.1:1/",
		Uid:         ptr("billing"),
		FilterTypes: []string{kind},
		Channels:    []string{"eu"},
	}, nil))(t)
	equal(t, made.FilterTypes, []string{kind})
	equal(t, made.Channels, []string{"eu"})

	patched := must(api.Endpoint.Patch(ctx, app, "billing", models.EndpointPatch{
		Disabled: ptr(true), FilterTypes: utils.NewNullableFromPtr[[]string](nil),
	}))(t)
	equal(t, *patched.Disabled, true)
	equal(t, patched.FilterTypes, none)
	equal(t, patched.Channels, []string{"eu"})
	put := must(api.Endpoint.Update(ctx, app, made.Id, models.EndpointUpdate{Url: made.Url}))(t)
	equal(t, *put.Disabled, false)
	equal(t, put.Channels, none)

	equal(t, must(api.Endpoint.List(ctx, app, nil))(t).Data[0].Id, made.Id)
	ok(t, api.Endpoint.Delete(ctx, app, made.Id))
	_, err := api.Endpoint.Get(ctx, app, made.Id)
	refused(t, err, http.StatusNotFound, "not_found")
}

func Test_headers_of_an_endpoint_are_sent_and_its_credentials_are_not_shown(t *testing.T) {
	s := subscribe(t)
	set := map[string]string{"X-Tenant": "7", "Authorization": "Bearer s3cret"}
	ok(t, api.Endpoint.UpdateHeaders(ctx, s.app, s.endpoint, models.EndpointHeadersIn{Headers: set}))
	shown := must(api.Endpoint.GetHeaders(ctx, s.app, s.endpoint))(t)
	equal(t, shown.Headers["X-Tenant"], "7")
	equal(t, len(shown.Sensitive), 1)
	equal(t, strings.Contains(fmt.Sprint(shown), "s3cret"), false)
	more := models.EndpointHeadersPatchIn{Headers: map[string]string{"X-Zone": "eu"}}
	ok(t, api.Endpoint.PatchHeaders(ctx, s.app, s.endpoint, more))
	send(t, s.app, 1)
	header := s.wait(t, 1)[0].header
	got := []string{header.Get("x-tenant"), header.Get("x-zone"), header.Get("authorization")}
	equal(t, got, []string{"7", "eu", "Bearer s3cret"})
}

func Test_a_delivery_verifies_by_either_set_of_headers_and_not_when_altered(t *testing.T) {
	s := subscribe(t)
	id := send(t, s.app, 1)
	d := s.wait(t, 1)[0]
	verified(t, s.key, d)
	equal(t, d.id(), id)
	equal(t, string(d.body), `{"n":1}`)
	d.body = append(d.body, ' ')
	if verify(t, s.key, "svix-", d) == nil {
		t.Fatal("an altered body verifies")
	}
}

func Test_a_repeated_event_id_is_a_conflict(t *testing.T) {
	app := newApp(t)
	in := message(1)
	in.EventId = ptr("evt-1")
	made := must(api.Message.Create(ctx, app, in, nil))(t)
	_, err := api.Message.Create(ctx, app, in, nil)
	refused(t, err, http.StatusConflict, "conflict")
	equal(t, must(api.Message.Get(ctx, app, "evt-1", nil))(t).Id, made.Id)
}

func Test_messages_are_listed_and_read_with_or_without_content(t *testing.T) {
	app := newApp(t)
	newest := make([]string, 3)
	for n := range newest {
		newest[len(newest)-1-n] = send(t, app, n)
	}
	var listed []string
	for o := (svix.MessageListOptions{Limit: ptr(uint64(2))}); ; {
		page := must(api.Message.List(ctx, app, &o))(t)
		for _, row := range page.Data {
			listed = append(listed, row.Id)
		}
		if page.Done {
			break
		}
		o.Iterator = page.Iterator
	}
	equal(t, listed, newest)
	for with, payload := range map[bool]map[string]any{true: {"n": 2.0}, false: {}} {
		o := svix.MessageGetOptions{WithContent: ptr(with)}
		equal(t, must(api.Message.Get(ctx, app, newest[0], &o))(t).Payload, payload)
	}
}

func Test_after_a_rotation_the_old_and_the_new_secret_verify(t *testing.T) {
	s := subscribe(t)
	ok(t, api.Endpoint.RotateSecret(ctx, s.app, s.endpoint, models.EndpointSecretRotateIn{}, nil))
	made := must(api.Endpoint.GetSecret(ctx, s.app, s.endpoint))(t).Key
	if made == s.key {
		t.Fatal("the secret is the old one")
	}
	send(t, s.app, 1)
	d := s.wait(t, 1)[0]
	verified(t, made, d)
	verified(t, s.key, d)
}

func Test_attempts_are_listed_by_endpoint_and_by_message(t *testing.T) {
	s := subscribe(t)
	msg := send(t, s.app, 1)
	row := attempts(t, s.app, msg, 1)[0]
	equal(t, []any{row.Status, row.ResponseStatusCode, row.Response, row.EndpointId},
		[]any{models.MESSAGESTATUS_SUCCESS, int16(200), "heard", s.endpoint})
	equal(t, must(api.MessageAttempt.Get(ctx, s.app, msg, row.Id, nil))(t).Id, row.Id)

	o := svix.MessageAttemptListByEndpointOptions{Status: ptr(models.MESSAGESTATUS_SUCCESS)}
	equal(t, must(api.MessageAttempt.ListByEndpoint(ctx, s.app, s.endpoint, &o))(t).Data[0].Id, row.Id)
	messages := must(api.MessageAttempt.ListAttemptedMessages(ctx, s.app, s.endpoint, nil))(t).Data
	equal(t, messages[0].Id, msg)
	places := must(api.MessageAttempt.ListAttemptedDestinations(ctx, s.app, msg, nil))(t).Data
	equal(t, places[0].Id, s.endpoint)
}

func Test_a_message_is_sent_again_by_hand(t *testing.T) {
	s := subscribe(t)
	msg := send(t, s.app, 1)
	attempts(t, s.app, msg, 1)
	must(api.MessageAttempt.Resend(ctx, s.app, msg, s.endpoint, nil))(t)
	again := s.wait(t, 2)[1]
	verified(t, s.key, again)
	equal(t, again.id(), msg)
	equal(t, attempts(t, s.app, msg, 2)[0].TriggerType, models.MESSAGEATTEMPTTRIGGERTYPE_MANUAL)
}

func Test_what_failed_for_good_is_recovered(t *testing.T) {
	s := subscribe(t)
	s.answer(http.StatusInternalServerError)
	msg := send(t, s.app, 1)
	eventually(t, func() bool {
		places := must(api.MessageAttempt.ListAttemptedDestinations(ctx, s.app, msg, nil))(t).Data
		return len(places) == 1 && places[0].Status == models.MESSAGESTATUS_FAIL
	})
	tried := len(s.deliveries())
	s.answer(http.StatusOK)
	since := models.RecoverIn{Since: time.Now().Add(-time.Minute)}
	task := must(api.Endpoint.Recover(ctx, s.app, s.endpoint, since, nil))(t)
	d := s.wait(t, tried+1)[tried]
	verified(t, s.key, d)
	equal(t, d.id(), msg)
	eventually(t, func() bool {
		now := must(api.BackgroundTask.Get(ctx, task.Id))(t)
		return now.Status == models.BACKGROUNDTASKSTATUS_FINISHED
	})
}

func Test_refusals_arrive_as_the_sdks_error(t *testing.T) {
	_, err := connect("not-a-token").Application.List(ctx, nil)
	refused(t, err, http.StatusUnauthorized, "authentication_failed")
	_, err = api.Application.Create(ctx, models.ApplicationIn{Name: "x", Uid: ptr("no spaces")}, nil)
	refused(t, err, http.StatusUnprocessableEntity, `"uid"`)
}
