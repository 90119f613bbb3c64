//! The gateway's side of the protocol `weir.v1`, as docs/sessions.md has it, without the gateway. It echoes every message,
//! and can be told to misbehave.

use super::wire::Wire;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How a gateway is.
#[derive(Clone)]
pub struct Setup {
    pub websocket: bool,
    pub resume: bool,
    pub idle: u64,
    pub echo: bool,
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { websocket: false, resume: true, idle: 60, echo: true, tls: None }
    }
}

pub struct FakeGateway {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

/// What it knows.
#[derive(Default)]
pub struct State {
    pub sessions: Vec<Session>,
    /// Every hello and every other control message, in order.
    pub controls: Vec<String>,
    connections: HashMap<usize, mpsc::Sender<Order>>,
    count: usize,
    tokens: usize,
}

#[derive(Default)]
pub struct Session {
    pub received: Vec<String>,
    /// To the client and not confirmed, with their numbers.
    pub kept: Vec<(u64, String)>,
    pub over: bool,
    token: String,
    sent: u64,
    /// The messages up to this number are gone, though not confirmed.
    gone: u64,
    connection: Option<usize>,
}

enum Order {
    Send(String),
    Close(u16, String),
    Cut,
}

impl FakeGateway {
    pub async fn start(setup: Setup) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, setup.clone(), Arc::clone(&shared)));
            }
        });
        Self { address, state, accepting }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    /// Breaks every connection.
    pub fn cut(&mut self) {
        self.connections.values().for_each(|orders| drop(orders.try_send(Order::Cut)));
    }

    /// Ends every session in order.
    pub fn end(&mut self, code: u16, reason: &str) {
        self.forget();
        self.connections.values().for_each(|orders| drop(orders.try_send(Order::Close(code, reason.into()))));
    }

    /// Forgets every session, as a gateway that was started again has.
    pub fn forget(&mut self) {
        self.sessions.iter_mut().for_each(|session| session.over = true);
    }

    pub fn connected(&self) -> usize {
        self.connections.len()
    }

    /// A message to the last session.
    pub fn send(&mut self, message: &str) {
        let at = self.sessions.len() - 1;
        self.send_to(at, message);
    }

    /// The oldest messages of the last session have to go.
    pub fn drop_kept(&mut self, count: usize) {
        let session = self.sessions.last_mut().unwrap();
        session.gone = session.kept[count - 1].0;
        session.kept.drain(..count);
    }

    fn send_to(&mut self, at: usize, message: &str) {
        let session = &mut self.sessions[at];
        session.sent += 1;
        session.kept.push((session.sent, message.to_owned()));
        if let Some(orders) = session.connection.and_then(|id| self.connections.get(&id)) {
            let _ = orders.try_send(Order::Send(message.to_owned()));
        }
    }

    /// Answers a hello. Gives back the session's place.
    fn welcome(&mut self, id: usize, words: &[&str], idle: u64) -> usize {
        let field = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let token = field("token");
        let had: u64 = field("received").map_or(0, |number| number.parse().unwrap());
        let found = self.sessions.iter().position(|session| !session.over && Some(&*session.token) == token);
        let at = found.unwrap_or_else(|| {
            self.sessions.push(Session::default());
            self.sessions.len() - 1
        });
        self.tokens += 1;
        let session = &mut self.sessions[at];
        session.token = format!("t{}", self.tokens);
        let missed = if found.is_some() { session.gone.saturating_sub(had) } else { 0 };
        let (received, sent) = (session.received.len(), if found.is_some() { had + missed } else { 0 });
        let mut answer = format!(
            "\0WSN welcome 1 session=s{at} token={} expires=9 window=60 idle={idle} received={received} sent={sent} resumed={}",
            session.token,
            found.is_some() && missed == 0,
        );
        match (found, token) {
            (None, Some(_)) => answer += " reason=unknown",
            _ if missed > 0 => answer = format!("{answer} reason=missed missed={missed}"),
            _ => {}
        }
        session.kept.retain(|(number, _)| *number > had);
        let orders = &self.connections[&id];
        let _ = orders.try_send(Order::Send(answer + " later=word"));
        for (_, message) in &session.kept {
            let _ = orders.try_send(Order::Send(message.clone()));
        }
        if let Some(former) = session.connection.replace(id).and_then(|former| self.connections.get(&former))
        {
            let _ = former.try_send(Order::Close(1000, "taken over".into()));
        }
        at
    }

    fn control(&mut self, id: usize, at: usize, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["ping", echo] => drop(self.connections[&id].try_send(Order::Send(format!("\0WSN pong {echo}")))),
            ["ack", number] => {
                let number: u64 = number.parse().unwrap();
                self.sessions[at].kept.retain(|(at, _)| *at > number);
            }
            ["bye"] => self.sessions[at].over = true,
            _ => panic!("the client says {text}"),
        }
    }
}

async fn serve(tcp: TcpStream, setup: Setup, state: Arc<Mutex<State>>) {
    let accepted = Wire::accept(tcp, setup.tls.clone(), setup.websocket, setup.resume).await;
    let Some((mut wire, speaks)) = accepted else { return };
    let (orders, mut ordered) = mpsc::channel(1 << 16);
    let id = {
        let mut state = state.lock().unwrap();
        state.count += 1;
        let id = state.count;
        state.connections.insert(id, orders);
        id
    };
    let mut at = None;
    if !speaks {
        let mut state = state.lock().unwrap();
        state.sessions.push(Session { connection: Some(id), ..Session::default() });
        at = Some(state.sessions.len() - 1);
    }
    loop {
        tokio::select! {
            biased;
            payload = wire.next() => {
                let Some(payload) = payload else { break };
                let text = String::from_utf8(payload).unwrap();
                let mut state = state.lock().unwrap();
                match (text.strip_prefix("\0WSN "), at) {
                    (Some(control), None) => {
                        state.controls.push(control.to_owned());
                        let words: Vec<&str> = control.split(' ').collect();
                        assert_eq!(words[..2], ["hello", "1"]);
                        at = Some(state.welcome(id, &words[2..], setup.idle));
                    }
                    (Some(control), Some(at)) if speaks => {
                        state.controls.push(control.to_owned());
                        state.control(id, at, control);
                    }
                    (_, Some(at)) => if state.sessions[at].connection == Some(id) {
                        state.sessions[at].received.push(text.clone());
                        if setup.echo {
                            state.send_to(at, &text);
                        }
                    },
                    (None, None) => panic!("a message before the hello"),
                }
            }
            order = ordered.recv() => match order {
                Some(Order::Send(message)) => wire.send(message.as_bytes()).await,
                Some(Order::Close(code, reason)) => {
                    wire.close(code, &reason).await;
                    break;
                }
                Some(Order::Cut) | None => break,
            },
        }
    }
    let mut state = state.lock().unwrap();
    state.connections.remove(&id);
    for session in state.sessions.iter_mut().filter(|session| session.connection == Some(id)) {
        session.connection = None;
    }
}
