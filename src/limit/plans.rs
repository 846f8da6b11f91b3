//! The plan of a step: the scenario, with the load of the step in place of its own.
//!
//! What a scenario says of its target, its operations, gauges, proxies and hooks stays as
//! it is. Its rates, its timeline and what it expects are exchanged: the load is one rate,
//! a trigger is the only entry, and the objectives are what is expected.

use super::search::Trial;
use crate::analysis::limit::{BACKLOG, LimitSought, LimitStage, TrialTimes, hold_operations};
use crate::error::{Error, Result};
use crate::explore::{MEASURES, Measure};
use crate::live;
use crate::model::{ClientPolicy, Disturbance, LimitTrigger, Scope, Shape, Unit, client_words};
use crate::plan::{Expectation, Plan};
use crate::scenario::{self, Changes, Opened, Setting};
use crate::units::{Nanos, Rate, whole};

/// Buckets of a step's window: as many as it is judged by.
const BUCKETS: u64 = 20;
/// The narrowest bucket, and the widest of a live run, whose progress is told by them.
const BUCKET_MIN: Nanos = Nanos::from_millis(100);
const BUCKET_MAX: Nanos = Nanos::from_secs(1);
/// Connections, unless somebody says how many: as many as operations of this rate that take
/// as long as they may, within these bounds.
const CONNECTIONS_MIN: u32 = 64;
const CONNECTIONS_MAX: u32 = 16_384;
/// What is in flight at the end is waited for at most so long.
const DRAIN_MAX: Nanos = Nanos::from_secs(120);

/// What plans of steps are made of.
#[derive(Debug)]
pub(crate) struct Plans<'a> {
    sought: &'a LimitSought,
    /// Read once: what is changed in the file meanwhile is of another search.
    scenario: Opened,
    settings: Vec<Setting>,
    trigger: Option<LimitTrigger>,
    /// Whether somebody said how many connections there are.
    connections_named: bool,
    simulated: bool,
    colour: bool,
}

impl<'a> Plans<'a> {
    /// Those of a search.
    ///
    /// # Errors
    ///
    /// Wrong usage, where the trigger, the clients or a setting are not understood.
    pub(crate) fn new(sought: &'a LimitSought, simulated: bool, colour: bool) -> Result<Self> {
        let wrong = |option: &str, why: String| Error::usage(format!("--{option}: {why}"));
        let own = sought.settings.iter().map(|text| text.parse());
        let mut settings: Vec<Setting> = own
            .collect::<std::result::Result<_, _>>()
            .map_err(|why| wrong("set", why))?;
        if let Some(client) = &sought.client {
            let words = client_words(client).map_err(|why| wrong("client", why))?;
            let words = words.iter();
            let words = words.map(|(key, value)| format!("load.client.{key}={value}").parse());
            let words: std::result::Result<Vec<Setting>, String> = words.collect();
            settings.extend(words.map_err(|why| wrong("client", why))?);
        }
        let trigger = sought.trigger.as_ref().map(|text| text.parse());
        Ok(Self {
            sought,
            scenario: Opened::new(&sought.target, sought.scenario.as_deref())?,
            connections_named: connections_named(sought),
            settings,
            trigger: trigger
                .transpose()
                .map_err(|why: String| wrong("trigger", why))?,
            simulated,
            colour,
        })
    }

    /// The plan of a step.
    ///
    /// # Errors
    ///
    /// As of a scenario file; where an objective is none.
    pub(crate) fn of(&self, trial: &Trial) -> Result<Plan> {
        let plan = match (&self.trigger, trial.stage) {
            (Some(trigger), LimitStage::Returns | LimitStage::Advice) => {
                self.returning(trial, trigger)?
            }
            _ => self.steady(trial)?,
        };
        match &trial.measure {
            None => Ok(plan),
            Some(name) => measure(name)
                .and_then(|measure| (measure.apply)(&plan).ok())
                .ok_or_else(|| Error::failed(format!("the measure `{name}` changes nothing"))),
        }
    }

    /// One rate from beginning to end.
    fn steady(&self, trial: &Trial) -> Result<Plan> {
        let window = Nanos::from_secs_f64(trial.window_s);
        let widest = if self.simulated { window } else { BUCKET_MAX };
        let bucket = millis(window / BUCKETS).clamp(BUCKET_MIN, widest.max(BUCKET_MIN));
        let whole_buckets = |time: Nanos| bucket * time.0.div_ceil(bucket.0);
        let warm_up = whole_buckets(self.warm_up());
        let end = warm_up + whole_buckets(window);
        let mut plan = self.base(trial.rate_per_s, [warm_up, end, bucket], "[]")?;
        plan.expectations = self.objectives(&plan.kinds)?;
        Ok(loaded(plan, trial, &[(Nanos::ZERO, 1.0)]))
    }

    /// A baseline, the trigger, and as long as service may take to come back.
    fn returning(&self, trial: &Trial, trigger: &LimitTrigger) -> Result<Plan> {
        // The hold window is the scenario's, which is read for it.
        let highest = trial.rate_per_s * trigger.surge().unwrap_or(1.0);
        let times = TrialTimes::of(self.sought, trial.rate_per_s, trigger.lasts, Nanos::ZERO);
        let first = self.base(highest, [times.warm_up, times.end, times.bucket], "[]")?;
        let hold = first.recovery.hold;
        let times = TrialTimes::of(self.sought, trial.rate_per_s, trigger.lasts, hold);
        let own = first.target.is_some();
        let mut plan = self.base(
            highest,
            [times.warm_up, times.end, times.bucket],
            &trigger.timeline(times.begin, own),
        )?;
        undoes_itself(&plan, trigger)?;
        let least = plan.recovery.operations_min;
        plan.recovery.operations_min = hold_operations(trial.rate_per_s, hold, least);
        let mut rates = vec![(Nanos::ZERO, 1.0)];
        if let Some(factor) = trigger.surge() {
            rates.extend([(times.begin, factor), (times.over, 1.0)]);
        }
        Ok(loaded(plan, trial, &rates))
    }

    fn warm_up(&self) -> Nanos {
        Nanos::from_secs_f64(self.sought.warm_up_s)
    }

    /// The scenario with these instants and entries, and connections for this rate.
    fn base(&self, rate: f64, times: [Nanos; 3], timeline: &str) -> Result<Plan> {
        let [warm_up, end, bucket] = times;
        let exchanged = [
            format!("load.rate={rate}/s"),
            format!("warm_up={warm_up}"),
            format!("end={end}"),
            format!("interval={bucket}"),
            format!("timeline={timeline}"),
            // What is in flight is waited for below; alerts are for the timeline alone.
            "drain=1h".to_owned(),
            "alert=[]".to_owned(),
            "load.step=[]".to_owned(),
            "expect=[]".to_owned(),
        ];
        let exchanged = exchanged.iter().map(|text| text.parse());
        let exchanged: std::result::Result<Vec<Setting>, String> = exchanged.collect();
        let settings = [self.settings.clone(), exchanged.map_err(Error::usage)?].concat();
        let changes = Changes {
            profile: self.sought.profile.as_deref(),
            settings: &settings,
            ..Changes::default()
        };
        let mut plan = self.scenario.plan(&changes, self.colour)?;
        if !self.connections_named && !self.simulated {
            let in_flight = rate * longest(&plan.load.client).as_secs_f64();
            let needed = u32::try_from(whole(in_flight.ceil())).unwrap_or(u32::MAX);
            let at_a_time = needed.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX);
            plan.load.connections = at_a_time.div_ceil(plan.streams().unwrap_or(1));
            plan.load.connections = live::connections_max(&plan);
        }
        restarts(&plan, self.sought.restart.as_deref())?;
        Ok(plan)
    }

    /// What is expected of each step.
    fn objectives(&self, kinds: &[String]) -> Result<Vec<Expectation>> {
        let objectives = self.sought.objectives.iter();
        let objectives = objectives.map(|text| {
            let objective = scenario::expectation(text, kinds, self.colour)?;
            let whole_step = objective.phase.is_none() && objective.window.is_none();
            let figure = objective.that;
            let rate = figure.unit() == Unit::PerSecond;
            if rate {
                return Err(Error::usage(format!(
                    "`{text}` is a rate, which a low load never reaches; write a share, as in \
                     'goodput share >= 99 %'"
                )));
            }
            if figure.unit() == Unit::Word || figure.scope() != Scope::Window || !whole_step {
                return Err(Error::usage(format!(
                    "`{text}` is not an objective of a load at one rate; write a figure of the \
                     whole step, as in 'p99 <= 250ms' or 'error share <= 1 %'"
                )));
            }
            Ok(objective)
        });
        objectives.collect()
    }
}

/// Whether the command line or the scenario says how many connections there are.
fn connections_named(sought: &LimitSought) -> bool {
    let text = sought.scenario_text.as_ref();
    let file = text.and_then(|text| text.parse::<toml::Table>().ok());
    let load = file.as_ref().and_then(|file| file.get("load"));
    load.is_some_and(|load| load.get("connections").is_some())
}

/// The plan with a load of its own: rates, in those of the step, from each instant on.
fn loaded(mut plan: Plan, trial: &Trial, rates: &[(Nanos, f64)]) -> Plan {
    let rate = |times: f64| Rate::per_second(trial.rate_per_s * times).unwrap_or_default();
    plan.load.rate = rates
        .iter()
        .map(|(at, times)| (*at, Shape::Constant(rate(*times))))
        .collect();
    plan.seed = trial.seed;
    plan.load.backlog = BACKLOG;
    plan.drain = longest(&plan.load.client);
    plan
}

/// How long an operation may take: every attempt and the pauses between them.
fn longest(client: &ClientPolicy) -> Nanos {
    let retries = u64::from(client.retries);
    let pauses = client.backoff.longest().0.saturating_mul(retries);
    let attempts = client.timeout.0.saturating_mul(retries + 1);
    let patience = Nanos(attempts.saturating_add(pauses));
    let patience = client.deadline.map_or(patience, |it| it.min(patience));
    patience.saturating_add(Nanos::from_secs(1)).min(DRAIN_MAX)
}

/// Refuses a hook that would stay in place where a step is interrupted.
fn undoes_itself(plan: &Plan, trigger: &LimitTrigger) -> Result<()> {
    let Disturbance::Hook { name, .. } = &trigger.what else {
        return Ok(());
    };
    let target = plan.target.as_ref();
    let hook = target.and_then(|target| target.hook(name));
    if hook.is_some_and(|hook| hook.undo.is_some()) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "the hook `{name}` has no `undo`, so a step that is interrupted would leave it in place; \
         add one to its [[hook]]"
    )))
}

/// Refuses a hook for restarting that is not there.
fn restarts(plan: &Plan, hook: Option<&str>) -> Result<()> {
    let Some(name) = hook else { return Ok(()) };
    let target = plan.target.as_ref();
    if target.is_some_and(|target| target.hook(name).is_some()) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--restart: there is no hook `{name}`; add a [[hook]] of this name to the scenario, with \
         the `command` or the `request` that starts the service anew"
    )))
}

fn millis(time: Nanos) -> Nanos {
    Nanos::from_millis(time.0 / 1_000_000)
}

/// The measure of this name.
fn measure(name: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| measure.name == name)
}

/// Why a measure is not tried on a service of the user's.
const OF_THE_SERVICE: &str = "it is a setting of the service, which this tool cannot change";

/// The measures that would change a plan of a trigger: name, what each changes, and why it
/// is not tried, where it is not. In a simulation all are, live those of the clients.
pub(crate) fn measures(plan: &Plan, simulated: bool) -> Vec<(String, String, Option<String>)> {
    let told = MEASURES.iter().filter_map(|measure| {
        let untried = match (measure.apply)(plan) {
            Ok(changed) if simulated || only_clients(plan, &changed) => None,
            Ok(_) => Some(OF_THE_SERVICE.to_owned()),
            // What it is about lies within the service: it may help, and cannot be tried.
            Err(_) if plan.fleet.is_none() && measure.about.contains("queue") => {
                Some(OF_THE_SERVICE.to_owned())
            }
            Err(_) => return None,
        };
        Some((measure.name.to_owned(), measure.what.to_owned(), untried))
    });
    told.collect()
}

/// Whether two plans differ in their clients alone.
fn only_clients(plan: &Plan, changed: &Plan) -> bool {
    let mut back = changed.clone();
    back.load.client = plan.load.client.clone();
    back == *plan
}
