//! A receiver on loopback: keeps what arrives and answers with the status that was set last.
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use svix::webhooks::{Webhook, WebhookError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Delivery {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Delivery {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The SDK's verdict on the headers of one prefix alone.
    pub fn verify(&self, key: &str, prefix: &str) -> Result<(), WebhookError> {
        let own = |(name, _): &(&HeaderName, &HeaderValue)| name.as_str().starts_with(prefix);
        let headers: HeaderMap = self
            .headers
            .iter()
            .filter(own)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        assert_eq!(headers.len(), 3);
        Webhook::new(key)?.verify(&self.body, &headers)
    }

    /// Both sets of headers must verify, each alone.
    pub fn verified(&self, key: &str) {
        self.verify(key, "svix-").unwrap();
        self.verify(key, "webhook-").unwrap();
    }
}

struct State {
    deliveries: Vec<Delivery>,
    status: u16,
}

/// It lives as long as the test's runtime.
pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { deliveries: Vec::new(), status: 200 }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { url, state }
    }

    pub fn answer(&self, status: u16) {
        self.state.lock().unwrap().status = status;
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state.lock().unwrap().deliveries.clone()
    }

    /// The deliveries, once there are `count` of them.
    pub async fn wait(&self, count: usize) -> Vec<Delivery> {
        eventually(|| async { Some(self.deliveries()).filter(|all| all.len() >= count) }).await
    }
}

/// One request per connection is enough: the answer closes it.
async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    let mut headers = HeaderMap::new();
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    loop {
        line.clear();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.append(name.parse::<HeaderName>().unwrap(), value.trim().parse().unwrap());
    }
    let length = headers["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let status = {
        let mut state = state.lock().unwrap();
        state.deliveries.push(Delivery { headers, body });
        state.status
    };
    let answer =
        format!("HTTP/1.1 {status} Said\r\ncontent-length: 5\r\nconnection: close\r\n\r\nheard");
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// Asks until there is an answer; for what the service tells only when asked.
pub async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, asking).await.expect("waited in vain")
}
