//! A carrier in virtual time, whose server does what a script says.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use threadbare::clients::{
    Asks, AttemptEnd, AttemptId, Class, Clients, End, NewFailure, Outgoing, Try, Wire, WireReport,
};
use threadbare::model::{CheckFailure, Expected, FailureCause, Learnt};
use threadbare::plan::{Draft, Plan, Slice, fleet_choices};
use threadbare::record::Sample;
use threadbare::units::Nanos;

use crate::conformance::Reply;
use crate::plan::ms;

/// A request that was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) at: Nanos,
    pub(super) which: Try,
    /// The number of the operation; none for a probe.
    pub(super) operation: Option<u64>,
    pub(super) waits_until: Nanos,
    /// When it was over: answered, lost, out of time, or of no use any more.
    pub(super) over: Option<Nanos>,
}

#[derive(Debug, Clone, Copy)]
struct UnderWay {
    id: AttemptId,
    class: Class,
    /// Whether its connection has served before.
    kept: bool,
    operation: Option<u64>,
    /// Its place among all that were sent.
    number: usize,
    until: Nanos,
}

pub(super) struct Script<'a> {
    now: Nanos,
    /// By how many milliseconds each turn of the carrier comes late, over and over.
    pub(super) delays: Vec<u64>,
    /// Whether the kernel notes when a reply comes; else it is known when it was last looked.
    pub(super) notes: bool,
    /// For how long it holds up each attempt while its connection is made.
    pub(super) held: Nanos,
    /// When the clients are told to end the load: at which instant, with its drain until when.
    pub(super) ended: Option<(Nanos, Nanos, Nanos)>,
    turns: usize,
    next_reply: Box<dyn FnMut(u64) -> Reply + 'a>,
    connections: usize,
    keeps: bool,
    expected: Vec<(Expected, bool)>,
    under_way: BTreeMap<u32, UnderWay>,
    /// Connections that have served and are free.
    kept: usize,
    /// Replies to come, by when and their number.
    replies: BinaryHeap<Reverse<(Nanos, usize)>>,
    drawn: Vec<(AttemptId, Reply)>,
    ends: VecDeque<AttemptEnd<()>>,
    pub(super) sent: Vec<Sent>,
    /// Most attempts of users at a time, and of one operation.
    pub(super) most: (usize, usize),
    pub(super) samples: Vec<Sample>,
}

impl<'a> Script<'a> {
    pub(super) fn new(plan: &Plan, next_reply: Box<dyn FnMut(u64) -> Reply + 'a>) -> Self {
        let mix = plan.load.mix.iter();
        Self {
            now: Nanos::ZERO,
            delays: vec![0],
            notes: true,
            held: Nanos::ZERO,
            ended: None,
            turns: 0,
            next_reply,
            connections: plan.load.connections as usize,
            keeps: !plan.load.drive.fresh_connections,
            expected: mix
                .map(|entry| (entry.expected(), entry.request.idempotent()))
                .collect(),
            under_way: BTreeMap::new(),
            kept: 0,
            replies: BinaryHeap::new(),
            drawn: Vec::new(),
            ends: VecDeque::new(),
            sent: Vec::new(),
            most: (0, 0),
            samples: Vec::new(),
        }
    }

    fn users(&self) -> usize {
        let users = self.under_way.values();
        users.filter(|it| it.class == Class::User).count()
    }

    /// It is that late; or later than it should be.
    fn advance(&mut self, to: Nanos) {
        let delay = self.delays[self.turns % self.delays.len()];
        self.turns += 1;
        self.now = self.now.max(to + ms(delay));
    }

    /// A reply that was there at `came` is taken.
    fn reply(&mut self, came: Nanos, number: usize) {
        let (id, reply) = self.drawn[number];
        let carried = self.under_way.get(&id.slot);
        if carried.is_none_or(|carried| carried.id != id) {
            return;
        }
        let carried = self.under_way.remove(&id.slot).unwrap();
        let lost = |cause, stale| End::Lost {
            cause,
            stale,
            handed_over: true,
            served: carried.kept,
        };
        let how = match reply {
            Reply::Status(_) | Reply::Late(..) if came >= carried.until + self.held => End::TooLate,
            Reply::Status(status) | Reply::Late(status, _) => {
                self.kept += usize::from(self.keeps && carried.class == Class::User);
                End::Answered {
                    status,
                    retry_after: None,
                    content: None,
                }
            }
            Reply::Close => lost(FailureCause::Closed, carried.kept),
            Reply::Garbage => lost(FailureCause::NotHttp, false),
            Reply::Silence => return,
        };
        self.sent[number].over = Some(came.min(carried.until));
        let answered = matches!(how, End::Answered { .. });
        self.ends.push_back(AttemptEnd {
            id,
            at: if answered && self.notes {
                came
            } else {
                self.now
            },
            ready: came,
            seen: self.now,
            held: self.held,
            how,
        });
    }
}

impl Wire for Script<'_> {
    type Content = ();

    fn now(&mut self) -> Nanos {
        self.now
    }

    fn has_room(&self) -> bool {
        self.users() < self.connections
    }

    fn send(&mut self, outgoing: Outgoing<'_>) {
        let (class, operation, waits_until) = match outgoing.asks {
            Asks::Step(request) => (Class::User, Some(request.draft.number), request.waits_until),
            Asks::Probe { .. } => (Class::Monitor, None, outgoing.until),
        };
        let kept = class == Class::User && outgoing.which != Try::Resend && self.kept > 0;
        self.kept -= usize::from(kept);
        self.under_way.insert(
            outgoing.id.slot,
            UnderWay {
                id: outgoing.id,
                class,
                kept,
                operation,
                number: self.sent.len(),
                until: outgoing.until,
            },
        );
        let of_operation = self.under_way.values();
        let of_operation = of_operation.filter(|it| it.operation == operation).count();
        self.most.0 = self.most.0.max(self.users());
        if operation.is_some() {
            self.most.1 = self.most.1.max(of_operation);
        }
        let number = self.sent.len();
        self.sent.push(Sent {
            at: outgoing.sent,
            which: outgoing.which,
            operation,
            waits_until,
            over: None,
        });
        let reply = (self.next_reply)(number as u64);
        self.drawn.push((outgoing.id, reply));
        // A reply takes some time, as all do.
        let after = match reply {
            Reply::Late(_, after) => ms(after),
            Reply::Silence => return,
            _ => ms(1),
        };
        self.replies.push(Reverse((self.now + after, number)));
    }

    fn cancel(&mut self, attempt: AttemptId, now: Nanos) {
        let carried = self.under_way.remove(&attempt.slot).unwrap();
        assert_eq!(carried.id, attempt);
        self.sent[carried.number].over = Some(now.min(carried.until));
    }

    fn time_out(&mut self, attempt: AttemptId, now: Nanos) -> FailureCause {
        self.cancel(attempt, now);
        FailureCause::NoAnswer
    }

    fn held_up(&self, _: AttemptId) -> Nanos {
        self.held
    }

    fn next_end(&mut self) -> Option<AttemptEnd<()>> {
        self.ends.pop_front()
    }

    fn steps(&self, _draft: &Draft) -> usize {
        1
    }

    fn idempotent(&self, draft: &Draft, _step: usize) -> bool {
        self.expected[usize::from(draft.entry)].1
    }

    fn expected(&self, draft: &Draft, _step: usize) -> &Expected {
        &self.expected[usize::from(draft.entry)].0
    }

    fn pause(&self, _: &Draft, _: usize) -> Nanos {
        Nanos::ZERO
    }

    fn accepts(&self, _: &Draft, _: usize, (): &(), _: &mut Learnt) -> Result<(), CheckFailure> {
        Ok(())
    }

    fn first_failure(&mut self, _: NewFailure<'_, ()>) {}

    fn report(&mut self) -> WireReport {
        WireReport::default()
    }

    fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }
}

/// Carries a plan's clients to their end.
pub(super) fn run(plan: &Plan, script: &mut Script<'_>) {
    let choices = fleet_choices(plan, |_| 9).unwrap();
    let mut clients = Clients::new(plan, choices, Slice::WHOLE);
    loop {
        clients.load_ends(script.now);
        if clients.drained(script.now) {
            break;
        }
        let reply = script.replies.peek().map_or(Nanos::MAX, |it| it.0.0);
        let told = script.ended.map_or(Nanos::MAX, |(told, ..)| told);
        let next = clients.next_instant().min(reply).min(told);
        script.advance(next);
        clients.now(script);
        if let Some((_, at, drained)) = script.ended.take_if(|(told, ..)| *told <= script.now) {
            clients.end_load(at, drained);
        }
        clients.settle(script.now, script);
        if reply <= script.now {
            let Reverse((came, number)) = script.replies.pop().unwrap();
            script.reply(came, number);
        } else if let Some((at, due)) = clients.earliest()
            && at <= script.now
        {
            clients.serve(due, script);
        }
        clients.take_ends(script);
    }
    clients.finish(script);
}
