//! Cases, run in the production runtime: the same instances, limits and checks as under traffic.

use super::parse::{Action, Case, Cases, Expected, Step, shown};
use crate::generation::{BindingSpec, Started, Starter};
use crate::instance::PluginInstance;
use crate::module::Module;
use crate::refusal::Refusal;
use crate::runtime::Runtime;
use crate::store::BindingStore;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_core::{
    Attributes, BindingId, Call, Direction, Effect, Failure, Instance as _, Kind, Message, OnFailure,
    Payload, Rejection, SessionId, SessionInfo, Target, Transport, Verdict,
};

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseOutcome {
    /// Of the case.
    pub name: Box<str>,
    /// Why it failed, as a sentence; `None`: it did not.
    pub failed: Option<String>,
}

/// The session of every case.
const SESSION: SessionId = SessionId::from_raw(1);

impl Runtime {
    /// Runs cases with a plugin file, everything granted and the default limits, for `time` at most.
    pub fn test(&self, bytes: &[u8], cases: &Cases, time: Duration) -> Result<Vec<CaseOutcome>, Refusal> {
        let module = self.module(bytes, crate::PluginLimits::default().stack_size(), |_| Ok(()))?;
        let spec = BindingSpec {
            id: BindingId(0),
            sha256: None,
            name: "test".into(),
            config: serde_json::Value::Null,
            limits: crate::PluginLimits::default(),
            grants: crate::Grants::all(),
            on_failure: OnFailure::default(),
            when: None,
            rollout: crate::RolloutPolicy::default(),
        };
        let deadline = Instant::now() + time;
        Ok(cases.cases.iter().map(|case| self.run_case(&module, &spec, case, deadline)).collect())
    }

    /// The cases that a file carries.
    pub fn cases_of(&self, bytes: &[u8]) -> Result<Cases, Refusal> {
        let text = super::read(bytes).map_err(|error| Refusal::Cases(error.to_string()))?;
        Cases::parse(text.unwrap_or_default()).map_err(|error| Refusal::Cases(error.to_string()))
    }

    /// Runs the cases that a file carries until one fails.
    pub(crate) fn try_cases(&self, module: &Module, spec: &BindingSpec) -> Result<(), Refusal> {
        /// All cases together: they are a part of every start.
        const TIME: Duration = Duration::from_secs(10);
        let Some(text) = &module.facts.cases else { return Ok(()) };
        let cases = Cases::parse(text).map_err(|error| Refusal::Cases(error.to_string()))?;
        let deadline = Instant::now() + TIME;
        for case in &cases.cases {
            if let Some(why) = self.run_case(module, spec, case, deadline).failed {
                return Err(Refusal::Cases(format!("case \"{}\", {why}", case.name)));
            }
        }
        Ok(())
    }

    fn run_case(&self, module: &Module, spec: &BindingSpec, case: &Case, deadline: Instant) -> CaseOutcome {
        let failed = self.run_steps(module, spec, case, deadline).err();
        CaseOutcome { name: case.name.clone(), failed }
    }

    fn run_steps(
        &self,
        module: &Module,
        spec: &BindingSpec,
        case: &Case,
        deadline: Instant,
    ) -> Result<(), String> {
        // Keys and values of its own: what is tried leaves nothing behind.
        let store = Arc::new(BindingStore::new(self.options()));
        let starter = Starter::new(self, module, spec, &store).map_err(|refusal| refusal.to_string())?;
        let (mut started, manifest) = starter.try_out().map_err(|refusal| refusal.to_string())?;
        let config = self.compiler().check_config(&manifest.config_schema, &case.config);
        let (answer, goes_on) = match config.map(|config| started.configure(&config)) {
            Err(refusal) => (format!("refused: {refusal}"), false),
            Ok(Err(failure)) => (fails(&failure), false),
            Ok(Ok(Err(said))) => (format!("refused: {said}"), false),
            Ok(Ok(Ok(()))) => ("ok".to_owned(), true),
        };
        let effects = std::mem::take(&mut started.store.data_mut().effects);
        match &case.configured {
            None if !goes_on => return Err(format!("its config: {answer}")),
            expected => {
                compare(expected, answer, &effects, Kind::Text)
                    .map_err(|why| format!("its config: {why}"))?;
            }
        }
        if !goes_on {
            return Ok(());
        }
        let mut actor = Actor::new(started, case);
        for step in &case.steps {
            if Instant::now() > deadline {
                return Err(format!("line {}: all cases together took too long", step.line));
            }
            actor.take(step).map_err(|why| format!("line {}, `{}`: {why}", step.line, step.text))?;
        }
        Ok(())
    }
}

/// A case under way.
struct Actor {
    instance: PluginInstance,
    call: Call,
    attributes: BTreeMap<Arc<str>, Arc<str>>,
    headers: Vec<(Box<str>, Box<str>)>,
    sequences: [u64; 2],
}

impl Actor {
    fn new(started: Started, case: &Case) -> Self {
        let attributes =
            case.attributes.iter().map(|(name, value)| (Arc::from(&**name), Arc::from(&**value)));
        Self {
            instance: PluginInstance::new(started),
            call: Call::default(),
            attributes: attributes.collect(),
            headers: case.headers.clone(),
            sequences: [0; 2],
        }
    }

    fn take(&mut self, step: &Step) -> Result<(), String> {
        self.call.effects.clear();
        let session = (SESSION, Attributes::new(self.attributes.clone()));
        self.call.session = (step.action != Action::Timer).then_some(session);
        let mut kind = Kind::Text;
        let answer = match &step.action {
            Action::Open => {
                let info = SessionInfo {
                    id: SESSION,
                    listener: "test".into(),
                    transport: Transport::WebSocket,
                    peer: "192.0.2.1:1024".into(),
                    tls: None,
                    request: self.headers.clone(),
                };
                self.instance.open(&info, &mut self.call).map(|answer| match answer {
                    Ok(()) => "accept".to_owned(),
                    Err(said) => format!("reject {}", rejection(&said)),
                })
            }
            Action::Message { direction, kind: of, payload } => {
                kind = *of;
                let sequence = &mut self.sequences[*direction as usize];
                *sequence += 1;
                let message = Message {
                    session: SESSION,
                    sequence: *sequence,
                    direction: *direction,
                    kind,
                    payload: Payload::Borrowed(payload),
                    lane: None,
                    hops: 0,
                    pressed: false,
                };
                self.instance.message(&message, &mut self.call).map(|answer| verdict(&answer, kind))
            }
            Action::Timer => self.instance.timer(&mut self.call).map(|()| "done".to_owned()),
            Action::Close { code, reason } => {
                let said = Rejection::new(*code, reason);
                self.instance.close(SESSION, &said, &mut self.call).map(|()| "done".to_owned())
            }
        };
        let answer = match answer {
            Ok(answer) => answer,
            // Nothing is asked of the instance after that.
            Err(failure) if step.expected.is_none() => return Err(fails(&failure)),
            Err(failure) => fails(&failure),
        };
        for effect in &self.call.effects {
            match effect {
                Effect::SetAttribute { session: SESSION, name, value: Some(value) } => {
                    self.attributes.insert(name.clone(), value.clone());
                }
                Effect::SetAttribute { session: SESSION, name, value: None } => {
                    self.attributes.remove(name);
                }
                _ => {}
            }
        }
        compare(&step.expected, answer, &self.call.effects, kind)
    }
}

/// Both as they are written in a case.
fn compare(expected: &Expected, answer: String, effects: &[Effect], kind: Kind) -> Result<(), String> {
    let Some(expected) = expected else { return Ok(()) };
    let mut given = vec![answer];
    given.extend(effects.iter().map(|effect| self::effect(effect, kind)));
    let same = |expected: &str, given: &str| {
        // What is refused and what fails is told at length; a case names the beginning.
        let at_length = given.starts_with("refused") || given.starts_with("fails");
        expected == given || at_length && given.starts_with(expected)
    };
    let all =
        given.len() == expected.len() && expected.iter().zip(&given).all(|(one, other)| same(one, other));
    if all {
        Ok(())
    } else {
        Err(format!("expected `{}`, got `{}`", expected.join("`, `"), given.join("`, `")))
    }
}

fn fails(failure: &Failure) -> String {
    format!("fails {}: {}", failure.cause.label(), failure.detail)
}

fn rejection(said: &Rejection) -> String {
    format!("{} {}", said.code, said.reason).trim_end().to_owned()
}

fn target(target: &Target) -> String {
    match target {
        Target::Cluster(name) => format!("cluster:{name}"),
        Target::Group(name) => format!("group:{name}"),
        Target::Session(id) => session(*id),
        Target::Echo => "echo".to_owned(),
    }
}

fn session(id: SessionId) -> String {
    if id == SESSION { "self".to_owned() } else { format!("session:{}", id.raw()) }
}

fn verdict(verdict: &Verdict, kind: Kind) -> String {
    match verdict {
        Verdict::Forward(forwarding) => {
            let mut text = match &forwarding.route {
                Some(to) => format!("route {}", target(to)),
                None => "forward".to_owned(),
            };
            if let Some(payload) = &forwarding.payload {
                text.push(' ');
                text.push_str(&shown(kind, payload));
            }
            text
        }
        Verdict::Drop(reason) => format!("drop {reason}"),
        Verdict::Close(said) => format!("close {}", rejection(said)),
        Verdict::Hold(milliseconds) => format!("hold {milliseconds}"),
    }
}

fn effect(effect: &Effect, kind: Kind) -> String {
    let of = |id: &SessionId| if *id == SESSION { String::new() } else { format!(" of {}", session(*id)) };
    match effect {
        Effect::Send { to, kind, payload } => format!("send {} {}", target(to), shown(*kind, payload)),
        Effect::Release { session, direction, sequence, verdict: said } => {
            let direction = if *direction == Direction::Inbound { "inbound" } else { "outbound" };
            format!("release {direction} {sequence}{} {}", of(session), verdict(said, kind))
        }
        Effect::Join { session, group } => format!("join {group}{}", of(session)),
        Effect::Leave { session, group } => format!("leave {group}{}", of(session)),
        Effect::SetAttribute { session, name, value: Some(value) } => {
            format!("set {name} {value}{}", of(session))
        }
        Effect::SetAttribute { session, name, value: None } => format!("unset {name}{}", of(session)),
        Effect::Every { milliseconds } => format!("every {milliseconds}"),
    }
}
