//! The load: signed webhooks, made beforehand and posted over keep-alive connections by one thread,
//! as cheaply as possible.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use instep::sandbox::sign;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How many connections post.
pub const CONNECTIONS: usize = 64;

/// Requests, ready to be sent.
pub type Requests = Arc<Vec<Vec<u8>>>;

/// What came of a load. Every request was answered 200.
pub struct Taken {
    /// How many requests.
    pub count: usize,
    /// From the first request to the last answer.
    pub time: Duration,
    /// Of each request, shortest first. Under a pace it begins when the request was due.
    latencies: Vec<Duration>,
}

impl Taken {
    /// Requests a second.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64()
    }

    /// The time within which so many of a thousand were answered.
    pub fn within(&self, of_thousand: usize) -> Duration {
        let at = (self.latencies.len() * of_thousand).div_ceil(1000).saturating_sub(1);
        self.latencies.get(at).copied().unwrap_or_default()
    }
}

/// Webhooks for these people in turn, no two the same, signed with this secret. `from` numbers them.
pub fn webhooks(people: &[String], secret: &str, from: usize, count: usize) -> Requests {
    let one = |number: usize| {
        let body = format!(
            r#"{{"companyId":990017,"type":"employee.updated","triggeredBy":"4000000000000000002","triggeredAt":"2026-03-02T09:{:02}:{:02}.{:06}","version":"v2","data":{{"employeeId":"{}","fieldUpdates":[{{"id":"root.surname"}},{{"id":"work.title"}}]}}}}"#,
            number / 60_000_000 % 60,
            number / 1_000_000 % 60,
            number % 1_000_000,
            people[number % people.len()],
        );
        let signature = sign(secret, body.as_bytes());
        format!(
            "POST /webhooks/bob HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             bob-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    Arc::new((from..from + count).map(one).collect())
}

/// Posts all of them: as fast as they are answered, or at a pace of so many a second.
///
/// # Errors
/// When one is not answered 200.
pub fn post(address: SocketAddr, requests: &Requests, pace: Option<u32>) -> anyhow::Result<Taken> {
    let requests = Arc::clone(requests);
    let posting = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(post_all(address, requests, pace))
    });
    posting.join().map_err(|_| anyhow::anyhow!("the load generator panicked"))?
}

async fn post_all(
    address: SocketAddr,
    requests: Requests,
    pace: Option<u32>,
) -> anyhow::Result<Taken> {
    let next = Arc::new(AtomicUsize::new(0));
    let gap = pace.map(|pace| Duration::from_secs(1) / pace);
    let mut streams = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let mut posting = JoinSet::new();
    let began = Instant::now();
    for mut stream in streams {
        let (next, requests) = (Arc::clone(&next), Arc::clone(&requests));
        posting.spawn(async move {
            let mut latencies = Vec::new();
            let mut answer = Vec::with_capacity(1024);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(at) else { return Ok(latencies) };
                let mut due = Instant::now();
                if let Some(gap) = gap {
                    due = began + gap * u32::try_from(at)?;
                    tokio::time::sleep_until(due.into()).await;
                }
                let status = exchange(&mut stream, request, &mut answer).await?;
                latencies.push(due.elapsed());
                if status != 200 {
                    bail!("request {at} was answered {status}: {}", answer.escape_ascii());
                }
            }
        });
    }
    let mut latencies = Vec::with_capacity(requests.len());
    while let Some(posted) = posting.join_next().await {
        latencies.extend(posted?.context("posting")?);
    }
    let time = began.elapsed();
    ensure!(latencies.len() == requests.len(), "some requests were not sent");
    latencies.sort_unstable();
    Ok(Taken { count: latencies.len(), time, latencies })
}

/// Sends a request and reads its answer whole; returns the status.
async fn exchange(stream: &mut TcpStream, request: &[u8], answer: &mut Vec<u8>) -> io::Result<u16> {
    stream.write_all(request).await?;
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(status) = whole(answer) {
            return Ok(status);
        }
    }
}

/// The status of an answer, once it is there to its end.
fn whole(answer: &[u8]) -> Option<u16> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    (answer.len() >= end + 4 + length.unwrap_or(0)).then(|| head.get(9..12)?.parse().ok())?
}
