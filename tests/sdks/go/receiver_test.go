package sdk

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	svix "github.com/svix/svix-webhooks/go"
)

type delivery struct {
	header http.Header
	body   []byte
}

func (d delivery) id() string { return d.header.Get("webhook-id") }

// A receiver on loopback: keeps what arrives and answers with the status that was set last.
type receiver struct {
	url string

	mutex    sync.Mutex
	received []delivery
	status   int
}

// Closed at the end of the test.
func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: http.StatusOK}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL + "/"
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.received = append(r.received, delivery{request.Header, body})
	w.WriteHeader(r.status)
	io.WriteString(w, "heard")
}

func (r *receiver) answer(status int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.status = status
}

func (r *receiver) deliveries() []delivery {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return append([]delivery(nil), r.received...)
}

// The deliveries, once there are `count` of them.
func (r *receiver) wait(t *testing.T, count int) []delivery {
	t.Helper()
	eventually(t, func() bool { return len(r.deliveries()) >= count })
	return r.deliveries()
}

// For what the service tells only when asked.
func eventually(t *testing.T, good func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !good(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

// The result of the SDK's verifier for the headers of one prefix alone.
func verify(t *testing.T, key, prefix string, d delivery) error {
	t.Helper()
	webhook := must(svix.NewWebhook(key))(t)
	header := http.Header{}
	for _, name := range []string{"id", "timestamp", "signature"} {
		header.Set(prefix+name, d.header.Get(prefix+name))
	}
	return webhook.Verify(d.body, header)
}

// Both sets of headers must verify, each alone.
func verified(t *testing.T, key string, d delivery) {
	t.Helper()
	for _, prefix := range []string{"svix-", "webhook-"} {
		if err := verify(t, key, prefix, d); err != nil {
			t.Fatalf("%s headers: %v", prefix, err)
		}
	}
}
