//! How an endpoint behaves at the moment, and what it has received in all weathers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use testkit::container::Batch;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::user::User;

use crate::checker::Received;
use crate::dice::Dice;

/// What most requests meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// 200 at once.
    Fine,
    /// 200 after a while.
    Slow,
    /// No answer.
    Hang,
    /// Connections are refused, those that are open are reset.
    Refuse,
    /// The request is read, the connection reset.
    Reset,
    /// 200, and a reset within the body.
    CutShort,
    /// A 4xx now and then: about the record, about us, or for the moment.
    Denying,
    /// 302 now and then, to a page that answers 200.
    Redirect,
    /// 429 with Retry-After.
    Busy,
    /// 500, 502, 503 with Retry-After as a date, 504.
    Failing,
}

impl Weather {
    const ALL: [Self; 10] = [
        Self::Fine,
        Self::Slow,
        Self::Hang,
        Self::Refuse,
        Self::Reset,
        Self::CutShort,
        Self::Denying,
        Self::Redirect,
        Self::Busy,
        Self::Failing,
    ];

    /// Any of them, fine weather half of the time.
    pub(crate) fn any(dice: &mut Dice) -> Self {
        if dice.percent(50) {
            Self::Fine
        } else {
            Self::ALL[dice.below(Self::ALL.len() as u64) as usize]
        }
    }
}

/// An endpoint out in the weather.
pub(crate) struct Outdoor {
    name: &'static str,
    endpoint: Endpoint,
    weather: Arc<Mutex<(Weather, Dice)>>,
    /// For each window, how many requests had been read when it began.
    windows: Vec<usize>,
}

impl Outdoor {
    /// Starts one, in fine weather.
    pub(crate) fn start(name: &'static str, seed: u64) -> Result<Self> {
        let weather = Arc::new(Mutex::new((Weather::Fine, Dice::new(seed))));
        let now = Arc::clone(&weather);
        let endpoint = Endpoint::start(move |request| {
            let mut now = now.lock().unwrap_or_else(PoisonError::into_inner);
            let (weather, dice) = &mut *now;
            answer(request, *weather, dice)
        })?;
        Ok(Self {
            name,
            endpoint,
            weather,
            windows: Vec::new(),
        })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        self.endpoint.url()
    }

    /// How many requests it has read.
    pub(crate) fn count(&self) -> usize {
        self.endpoint.count()
    }

    /// A window begins: what is read from now on belongs to it.
    pub(crate) fn begin_window(&mut self) {
        self.windows.push(self.count());
    }

    /// The weather turns.
    pub(crate) fn turn(&self, weather: Weather) {
        self.endpoint.refuse(weather == Weather::Refuse);
        self.weather
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0 = weather;
    }

    /// Every record of every request that it has read.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.endpoint
            .requests()
            .iter()
            .flat_map(|request| self.records_of(request))
            .collect()
    }

    fn records_of(&self, request: &Request) -> Vec<Received> {
        // 299 is our mark for an answer that was cut short.
        let cut_short = request.answered == Some(CUT_SHORT);
        let taken = request
            .answered
            .is_some_and(|status| (200..300).contains(&status));
        let refused = matches!(request.answered, Some(400 | 413 | 422));
        let begun = |count: &usize| *count <= request.number;
        let window = self.windows.partition_point(begun).saturating_sub(1);
        let keyed: Vec<(Vec<u8>, String)> = match batch_of(request) {
            Some((data, keys)) if data.len() == keys.len() => data.into_iter().zip(keys).collect(),
            // The checker finds these bytes to be no datum.
            Some(_) => vec![(request.body.to_vec(), String::new())],
            None => {
                let key = request.header("idempotency-key").unwrap_or_default();
                vec![(request.body.to_vec(), key.trim_matches('"').to_owned())]
            }
        };
        // A batch that is refused says nothing of any one of its records: it is to be split and sent again.
        let alone = keyed.len() == 1;
        let received = |(datum, key)| Received {
            route: self.name,
            datum,
            key,
            window,
            taken,
            refused: refused && alone,
            cut_short,
        };
        keyed.into_iter().map(received).collect()
    }
}

const CUT_SHORT: u16 = 299;

/// The records and keys of a batch request; `None` if it is none.
fn batch_of(request: &Request) -> Option<(Vec<Vec<u8>>, Vec<String>)> {
    if request.header("content-type") != Some("application/vnd.apache.avro") {
        return None;
    }
    let read = Batch::read(&request.body);
    let taken_apart = read.and_then(|batch| Some((batch.data(User::length)?, batch.keys())));
    Some(taken_apart.unwrap_or_default())
}

fn answer(request: &Request, weather: Weather, dice: &mut Dice) -> Answer {
    let data = match batch_of(request) {
        Some((data, _)) => data,
        None => vec![request.body.to_vec()],
    };
    let refused =
        |datum: &Vec<u8>| User::decode(datum).is_some_and(|user| user.name.starts_with("refused"));
    let fair = if data.iter().any(refused) {
        Answer::status(422).body("refused")
    } else {
        Answer::ok()
    };
    if dice.percent(30) {
        return fair;
    }
    match weather {
        Weather::Fine | Weather::Refuse => fair,
        Weather::Slow => fair.after(Duration::from_millis(dice.below(60))),
        Weather::Hang => Answer::hang(),
        Weather::Reset if dice.percent(50) => Answer::ok().reset_in_head(),
        Weather::Reset => Answer::reset(),
        // Only what would have been taken: a cut refusal is a refusal.
        Weather::CutShort if !data.iter().any(refused) => Answer::status(CUT_SHORT)
            .body(vec![b'x'; 4096])
            .reset_in_body(),
        Weather::CutShort => fair,
        Weather::Redirect if dice.percent(5) => Answer::status(302).header("location", "/login"),
        Weather::Redirect => fair,
        Weather::Denying if dice.percent(10) => {
            const STATUSES: [u16; 10] = [400, 401, 403, 404, 408, 409, 410, 413, 415, 425];
            Answer::status(STATUSES[dice.below(STATUSES.len() as u64) as usize])
        }
        Weather::Denying => fair,
        Weather::Busy => Answer::status(429).header("retry-after", "1"),
        Weather::Failing => {
            let status = [500, 502, 503, 504][dice.below(4) as usize];
            let long_ago = "Sun, 06 Nov 1994 08:49:37 GMT";
            Answer::status(status).header("retry-after", long_ago)
        }
    }
}
