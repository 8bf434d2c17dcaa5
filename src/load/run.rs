//! A run from its first connect to its report: prepares, starts the loops, listens to them, asks the
//! server between the phases, adds it all up. `cli/load` calls [`run`] and shows what it is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::domain::{clock, ids};

use super::accounts::{self, Account, Renewer};
use super::admin::{self, Asked, Known};
use super::driver::Driver;
use super::plan::{Part, Plan, Told};
use super::process;
use super::report::Report;
use super::scenario::Scenario;
use super::summing::{self, Sums};
use super::tag::Tags;
use super::tally::{Slice, float, merge};
use super::target::{self, Target};

/// Time between two looks at what the loops say.
const LOOK: Duration = Duration::from_millis(100);
/// After the ramp's time, how long those who are not in yet are waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// Slices of a run that are shown.
const SLICES: u64 = 100;
/// What loops may have told that was not listened to yet.
const TOLD_MAX: usize = 4_096;
/// Between the order to start and the first message, in microseconds.
const HEAD_START_US: u64 = 20_000;
/// What is said of a run that was cut before it sent anything.
const ENDED_EARLY: &str = "ended before the first message: nothing was measured";
/// Descriptors that a run needs beside its sockets.
const OTHER_FILES: u64 = 64;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Accounts made, of so many.
    Accounts(usize, usize),
    /// Sockets in their rooms, of so many.
    Ramp(u64, u64),
    /// Seconds of so many; messages sent, deliveries, sockets that are in, p99 in milliseconds of
    /// the latest slice.
    Run(f64, f64, u64, u64, u64, f64),
    /// The last deliveries are waited for.
    Settle,
}

/// Where the server's own figures come from.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// An admin's access token: it is asked for what it says of itself.
    pub admin: Option<String>,
    /// Its processes on this machine: the system is asked for what they use.
    pub pids: Vec<u32>,
}

/// Runs a scenario; `step` hears how far it is. Once `cut` is true it ends: what was sent by then is
/// waited for, and reported.
///
/// # Errors
/// Why it could not be run: no address, no accounts, nobody got in, cut before the first message.
pub fn run(
    scenario: Scenario,
    server: &Server,
    cut: &AtomicBool,
    step: &mut dyn FnMut(Step),
) -> Result<Report, String> {
    let targets = targets(&scenario)?;
    let run = run_name();
    let accounts = accounts(&scenario, &targets[0], &run, cut, step)?;
    let ask = || {
        let said = server.admin.as_ref().map(|token| admin::ask(&targets[0], token)).transpose()?;
        Ok::<_, String>(Known::of(process::of(&server.pids)?, said))
    };
    let empty = ask()?;
    if cut.load(Ordering::Relaxed) {
        return Err(ENDED_EARLY.to_owned());
    }
    let plan = plan(scenario, targets.clone(), &run);
    let began = clock::now();
    let crew = Crew::start(&plan, &accounts)?;
    let mut listening = Listening::default();
    let begun_us = micros(plan.epoch.elapsed());
    crew.ramp(&plan, &mut listening, cut, step)?;
    let joined = ask()?;
    crew.is_wanted(&plan, cut)?;
    crew.start_sending(&plan);
    crew.listen_to_the_end(&plan, &mut listening, cut, step)?;
    let after = ask()?;
    let parts = crew.stop(&plan)?;
    if plan.cut_s() == Some(0.0) {
        return Err(ENDED_EARLY.to_owned());
    }
    let asked = match (empty, joined, after) {
        (Some(empty), Some(joined), Some(after)) => Some(Asked { empty, joined, after }),
        _ => None,
    };
    let sums = Sums { plan: &plan, began, begun_us, parts, slices: listening.slices, asked };
    Ok(summing::report(&sums))
}

fn targets(scenario: &Scenario) -> Result<Vec<Target>, String> {
    let targets: Vec<Target> =
        scenario.urls.iter().map(|url| Target::parse(url)).collect::<Result<_, _>>()?;
    if let Some(source) =
        scenario.sources.iter().find(|source| !targets.iter().any(|target| target.suits(**source)))
    {
        return Err(format!("the source {source} and no url are of one kind of address"));
    }
    let need = scenario.sessions() as u64 + OTHER_FILES;
    match target::open_files() {
        Some(limit) if limit < need => Err(format!(
            "{} sockets need {need} open files, and this process may have {limit}: raise the \
             limit with `ulimit -Hn {need}` as root, or make fewer",
            scenario.sessions()
        )),
        _ => Ok(targets),
    }
}

/// Six letters and digits: rooms, accounts and messages of one run are told from another's.
fn run_name() -> String {
    let id = ids::random().simple().to_string();
    id[..6].to_owned()
}

fn accounts(
    scenario: &Scenario,
    target: &Target,
    run: &str,
    cut: &AtomicBool,
    step: &mut dyn FnMut(Step),
) -> Result<Vec<Account>, String> {
    match &scenario.tokens {
        Some(path) => accounts::from_file(path),
        None if scenario.accounts > 0 => {
            let count = scenario.accounts;
            accounts::register(target, run, count, cut, &mut |done| {
                step(Step::Accounts(done, count));
            })
        }
        None => Ok(Vec::new()),
    }
}

fn plan(scenario: Scenario, targets: Vec<Target>, run: &str) -> Arc<Plan> {
    let key = summing::key();
    let slice_us = (scenario.duration.micros() / SLICES).clamp(100_000, 10_000_000);
    Arc::new(Plan {
        tags: Tags::new(run),
        prefix: scenario.room_prefix.clone().unwrap_or_else(|| format!("load-{run}")),
        key,
        epoch: Instant::now(),
        slice_us,
        start_us: AtomicU64::new(0),
        cut_us: AtomicU64::new(u64::MAX),
        stop: AtomicBool::new(false),
        joined: AtomicU64::new(0),
        targets,
        scenario,
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What the loops told, added up over threads.
#[derive(Debug, Default)]
struct Listening {
    ready: usize,
    settled: usize,
    slices: BTreeMap<u64, Slice>,
    sent: u64,
    deliveries: u64,
    p99_ms: f64,
}

impl Listening {
    fn hear(&mut self, told: Told) {
        match told {
            Told::Ready => self.ready += 1,
            Told::Settled => self.settled += 1,
            Told::Slice(number, slice) => {
                self.sent += slice.sent;
                self.deliveries += slice.deliveries;
                let sum = self.slices.entry(number).or_default();
                sum.sent += slice.sent;
                sum.deliveries += slice.deliveries;
                sum.sessions += slice.sessions;
                merge(&mut sum.delivery, &slice.delivery);
                self.p99_ms = float(sum.delivery.value_at_quantile(0.99)) / 1e3;
            }
        }
    }
}

/// The threads of a run.
struct Crew {
    told: Receiver<Told>,
    wakers: Vec<Arc<mio::Waker>>,
    threads: Vec<JoinHandle<std::io::Result<Part>>>,
}

impl Crew {
    fn start(plan: &Arc<Plan>, accounts: &[Account]) -> Result<Self, String> {
        let (tell, told): (SyncSender<Told>, _) = sync_channel(TOLD_MAX);
        let renews = accounts.iter().any(|account| account.refresh.is_some());
        let renewer = renews.then(|| Renewer::start(plan.targets[0].clone()));
        let mut crew = Self { told, wakers: Vec::new(), threads: Vec::new() };
        for number in 0..plan.scenario.threads.min(plan.scenario.rooms) {
            let account = |session: usize| accounts.get(session % accounts.len().max(1)).cloned();
            let (plan, tell, renewer) = (Arc::clone(plan), tell.clone(), renewer.clone());
            let driver = Driver::new(plan, number, tell, renewer, account)
                .map_err(|why| format!("the system does not let a loop begin: {why}"))?;
            crew.wakers.push(driver.waker());
            crew.threads.push(thread::spawn(move || driver.run()));
        }
        Ok(crew)
    }

    /// Hears what the loops say, for a moment; whether all of them are still there.
    fn hear(&self, listening: &mut Listening) -> Result<(), String> {
        match self.told.recv_timeout(LOOK) {
            Ok(told) => listening.hear(told),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err("the loops have ended".to_owned()),
        }
        if self.threads.iter().any(JoinHandle::is_finished) {
            return Err("a loop has ended before the run".to_owned());
        }
        Ok(())
    }

    fn ramp(
        &self,
        plan: &Plan,
        listening: &mut Listening,
        cut: &AtomicBool,
        step: &mut dyn FnMut(Step),
    ) -> Result<(), String> {
        let all = plan.scenario.sessions() as u64;
        let until = plan.scenario.ramp_up.duration() + PATIENCE;
        while listening.ready < self.threads.len() && plan.epoch.elapsed() < until {
            self.is_wanted(plan, cut)?;
            self.hear(listening)?;
            step(Step::Ramp(plan.joined.load(Ordering::Relaxed), all));
        }
        if plan.joined.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        self.halt(plan);
        let url = &plan.scenario.urls[0];
        Err(format!(
            "not one of {all} sockets got into its room at {url}: is a server there, does it speak \
             the dialect {}, and does it let so many in (RATE_LIMITS=off)?",
            plan.scenario.dialect
        ))
    }

    /// Ends everything if somebody cut the run before its first message.
    fn is_wanted(&self, plan: &Plan, cut: &AtomicBool) -> Result<(), String> {
        if cut.load(Ordering::Relaxed) {
            self.halt(plan);
            return Err(ENDED_EARLY.to_owned());
        }
        Ok(())
    }

    fn start_sending(&self, plan: &Plan) {
        plan.start_us.store(micros(plan.epoch.elapsed()) + HEAD_START_US, Ordering::Release);
        self.wake();
    }

    fn listen_to_the_end(
        &self,
        plan: &Plan,
        listening: &mut Listening,
        cut: &AtomicBool,
        step: &mut dyn FnMut(Step),
    ) -> Result<(), String> {
        let start = Duration::from_micros(plan.start_us.load(Ordering::Acquire));
        let length = plan.scenario.duration.as_secs();
        let mut ends = u64::MAX;
        while listening.settled < self.threads.len() {
            if ends == u64::MAX && cut.load(Ordering::Relaxed) {
                ends = micros(plan.epoch.elapsed()).max(plan.start_us.load(Ordering::Acquire));
                plan.cut_us.store(ends, Ordering::Release);
                self.wake();
            }
            self.hear(listening)?;
            let at = plan.epoch.elapsed().saturating_sub(start).as_secs_f64();
            let sessions = plan.joined.load(Ordering::Relaxed);
            let (sent, deliveries) = (listening.sent, listening.deliveries);
            step(if at < length && ends == u64::MAX {
                Step::Run(at, length, sent, deliveries, sessions, listening.p99_ms)
            } else {
                Step::Settle
            });
        }
        Ok(())
    }

    fn wake(&self) {
        for waker in &self.wakers {
            // A loop that has ended is found out by its thread.
            let _ = waker.wake();
        }
    }

    fn halt(&self, plan: &Plan) {
        plan.stop.store(true, Ordering::Release);
        self.wake();
    }

    fn stop(self, plan: &Plan) -> Result<Vec<Part>, String> {
        self.halt(plan);
        let ended = |thread: JoinHandle<std::io::Result<Part>>| match thread.join() {
            Ok(part) => part.map_err(|why| format!("a loop failed: {why}")),
            Err(_) => Err("a loop has panicked".to_owned()),
        };
        self.threads.into_iter().map(ended).collect()
    }
}
