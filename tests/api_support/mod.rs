//! A client of the API that says what it means in few words.
#![allow(dead_code, reason = "each test uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

use serde_json::{Value, json};

use crate::api_daemon::{Daemon, Exchange, Sent};

/// A daemon, and a master account logged in to it.
pub struct Client {
    pub daemon: Daemon,
    pub token: String,
    pub account: String,
}

impl Client {
    pub fn start() -> Client {
        Client::to(Daemon::start(false))
    }

    pub fn to(daemon: Daemon) -> Client {
        let variables = daemon.variables();
        let account = variables["MASTER_ACCOUNT_ID"].as_str().unwrap().to_owned();
        let mut client = Client {
            daemon,
            token: String::new(),
            account,
        };
        client.token = client.log_in(variables["MASTER_API_KEY"].as_str().unwrap());
        client
    }

    pub fn log_in(&self, api_key: &str) -> String {
        let answer = self.send(
            "PUT",
            "/v2/api_auth",
            &[],
            json!({"data": {"api_key": api_key}}).to_string().as_bytes(),
        );
        assert_eq!(answer.status, 201);
        json(&answer)["auth_token"].as_str().unwrap().to_owned()
    }

    /// Exactly these headers.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Exchange {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.daemon.exchange(&Sent {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.iter().map(own).collect(),
            body: body.to_vec(),
        })
    }

    /// With the token; `path` is behind the account's own.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Exchange {
        self.ask_with(method, path, &[], body)
    }

    pub fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Exchange {
        let mut all = vec![("X-Auth-Token", self.token.as_str())];
        all.extend(headers);
        self.send(method, &self.path(path), &all, body.as_bytes())
    }

    pub fn path(&self, path: &str) -> String {
        // A version of the API: `/v2`, `/v1`; not `/vmboxes`.
        let version = path.strip_prefix("/v").and_then(|rest| rest.chars().next());
        if version.is_some_and(|first| first.is_ascii_digit()) {
            path.to_owned()
        } else {
            format!("/v2/accounts/{}{path}", self.account)
        }
    }

    /// Creates a document and returns its id.
    pub fn create(&self, path: &str, data: Value) -> String {
        let answer = self.ask("PUT", path, &json!({"data": data}).to_string());
        assert_eq!(
            answer.status,
            201,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        json(&answer)["data"]["id"].as_str().unwrap().to_owned()
    }
}

pub fn json(answer: &Exchange) -> Value {
    let text = String::from_utf8_lossy(&answer.body);
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {text}"))
}
