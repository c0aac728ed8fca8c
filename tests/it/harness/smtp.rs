//! Real mail servers for tests: aiosmtpd on loopback, on ports of their own. They end with the value
//! that holds them, and with the test process at the latest.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

const SCRIPT: &str = include_str!("smtp.py");

/// What a server asks of those who come.
#[derive(Clone, Copy, Default)]
pub struct Asks {
    /// `none`, `starttls` or `tls`.
    pub tls: &'static str,
    /// User and password.
    pub login: Option<(&'static str, &'static str)>,
}

/// One server.
pub struct Server {
    pub port: u16,
    process: Child,
    mails: Receiver<String>,
}

impl Server {
    pub fn start(asks: Asks) -> Self {
        let (user, password) = asks.login.unwrap_or_default();
        let own = certificate();
        let asked = json!({
            "tls": asks.tls, "user": user, "password": password,
            "cert": own.path().join("cert.pem"), "key": own.path().join("key.pem"),
        });
        let mut process = Command::new(python())
            .args(["-c", SCRIPT, &asked.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It warns of what a test server may do.
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        let output = process.stdout.take().expect("piped");
        let (told, mails) = channel();
        // Ends with the server's output.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    break;
                }
            }
        });
        let port = mails.recv_timeout(PATIENCE).expect("the mail server starts");
        Self { port: port.parse().expect("a port"), process, mails }
    }

    /// The next mail that came.
    pub fn mail(&self) -> Value {
        let line = self.mails.recv_timeout(PATIENCE).expect("a mail");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Whether no other mail came.
    pub fn is_empty(&self) -> bool {
        self.mails.try_recv().is_err()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The Python that has aiosmtpd: the system's, or the one that deploy/install-tools.sh made.
fn python() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/smtp/bin/python3");
        let known = [own, PathBuf::from("python3"), PathBuf::from("/usr/bin/python3")];
        let has = |python: &PathBuf| {
            let mut command = Command::new(python);
            command.args(["-c", "import aiosmtpd"]).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let found = known.into_iter().find(has);
        found.expect("a Python with aiosmtpd: `deploy/install-tools.sh smtp` installs it")
    })
}

/// A certificate for localhost, made once: `cert.pem`, `key.pem`.
pub fn certificate() -> &'static TempDir {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
            ])
            .args([
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
            ])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .status()
            .expect("openssl");
        assert!(made.success(), "openssl makes a certificate");
        folder
    })
}
