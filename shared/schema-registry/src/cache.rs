//! Schemas by id or GUID: cached, and requested once by any number of concurrent callers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use tokio::time::Instant;

use crate::error::RegistryError;
use crate::schema::RegisteredSchema;

/// How long the error of a schema that does not exist or cannot be used is cached. The schema may be registered or corrected later.
pub(crate) const MISSING_TTL: Duration = Duration::from_secs(30);

/// The maximum number of ids that are cached as missing, and of requests in flight whose callers may be gone. Ids come
/// from records.
const MAX_MISSING: usize = 1024;

/// The maximum size of the cached schemas, in bytes. The schemas that were cached first are removed.
const MAX_BYTES: usize = 64 << 20;

/// The size of a cached schema in addition to its texts, in bytes.
const ENTRY_BYTES: usize = 256;

/// What identifies a schema in a record. Registries never give an id or GUID to a second schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SchemaKey {
    Id(u32),
    Guid([u8; 16]),
}

type Lookup = Result<Arc<RegisteredSchema>, RegistryError>;
type Fetch = BoxFuture<'static, Lookup>;

/// Caches schemas for the life of the process, and for 30 seconds the error of a schema that does not exist or cannot
/// be used. Other errors are not cached.
#[derive(Clone, Debug)]
pub(crate) struct SchemaCache(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    max_bytes: usize,
    schemas: HashMap<SchemaKey, Arc<RegisteredSchema>>,
    /// The keys of `schemas`, oldest first.
    order: VecDeque<SchemaKey>,
    bytes: usize,
    missing: HashMap<SchemaKey, (Instant, RegistryError)>,
    /// Weak: a request ends when its last caller is cancelled.
    in_flight: HashMap<SchemaKey, WeakShared<Fetch>>,
}

impl Default for SchemaCache {
    fn default() -> Self {
        Self::with_capacity(MAX_BYTES)
    }
}

impl SchemaCache {
    fn with_capacity(max_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            max_bytes,
            schemas: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            missing: HashMap::new(),
            in_flight: HashMap::new(),
        })))
    }

    /// The schema, from the cache or from `fetch`. Concurrent callers with the same key share one call of `fetch`, and
    /// its result.
    pub(crate) async fn get(
        &self,
        key: SchemaKey,
        now: Instant,
        fetch: impl FnOnce() -> Fetch,
    ) -> Lookup {
        let shared = {
            let mut state = self.lock();
            if let Some(known) = state.known(key, now) {
                return known;
            }
            match state.in_flight.get(&key).and_then(WeakShared::upgrade) {
                Some(shared) => shared,
                None => {
                    let shared = self.clone().fetch_into(key, now, fetch());
                    if state.in_flight.len() >= MAX_MISSING {
                        // Cancelled requests remain until then.
                        state.in_flight.retain(|_, weak| weak.upgrade().is_some());
                    }
                    if let Some(weak) = shared.downgrade() {
                        state.in_flight.insert(key, weak);
                    }
                    shared
                }
            }
        };
        shared.await
    }

    /// Fetches and stores the result.
    fn fetch_into(self, key: SchemaKey, now: Instant, fetch: Fetch) -> Shared<Fetch> {
        async move {
            let result = fetch.await;
            let mut state = self.lock();
            state.in_flight.remove(&key);
            state.store(key, now, &result);
            result
        }
        .boxed()
        .shared()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn known(&mut self, key: SchemaKey, now: Instant) -> Option<Lookup> {
        if let Some(schema) = self.schemas.get(&key) {
            return Some(Ok(Arc::clone(schema)));
        }
        let (until, error) = self.missing.get(&key)?;
        (now < *until).then(|| Err(error.clone()))
    }

    fn store(&mut self, key: SchemaKey, now: Instant, result: &Lookup) {
        self.missing.remove(&key);
        match result {
            Ok(schema) => self.insert(key, Arc::clone(schema)),
            Err(error @ (RegistryError::Unknown { .. } | RegistryError::Unusable { .. })) => {
                if self.missing.len() >= MAX_MISSING {
                    self.missing.retain(|_, (until, _)| now < *until);
                }
                let oldest = self.missing.iter().min_by_key(|(_, (until, _))| *until);
                if self.missing.len() >= MAX_MISSING
                    && let Some(oldest) = oldest.map(|(key, _)| *key)
                {
                    self.missing.remove(&oldest);
                }
                self.missing.insert(key, (now + MISSING_TTL, error.clone()));
            }
            Err(_) => {}
        }
    }

    fn insert(&mut self, key: SchemaKey, schema: Arc<RegisteredSchema>) {
        self.bytes += schema.size() + ENTRY_BYTES;
        if let Some(replaced) = self.schemas.insert(key, schema) {
            self.bytes -= replaced.size() + ENTRY_BYTES;
        } else {
            self.order.push_back(key);
        }
        while self.bytes > self.max_bytes
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some(removed) = self.schemas.remove(&oldest) {
                self.bytes -= removed.size() + ENTRY_BYTES;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    const KEY: SchemaKey = SchemaKey::Id(7);

    fn schema(size: usize) -> Lookup {
        Ok(Arc::new(RegisteredSchema {
            id: Some(7),
            guid: None,
            version: None,
            json: "x".repeat(size),
            references: Vec::new(),
        }))
    }

    fn unknown() -> Lookup {
        Err(RegistryError::Unknown {
            operation: "reading schema 7".to_owned(),
            url: "http://h".to_owned(),
            message: "40403 Schema not found".to_owned(),
        })
    }

    fn outage() -> Lookup {
        Err(RegistryError::Unavailable {
            operation: "reading schema 7".to_owned(),
            url: "http://h".to_owned(),
            reason: "connection refused".to_owned(),
            attempts: 1,
            elapsed: Duration::ZERO,
        })
    }

    /// A cache, and the number of requests so far.
    #[derive(Default)]
    struct Fixture {
        cache: SchemaCache,
        count: Arc<AtomicUsize>,
    }

    impl Fixture {
        async fn get(&self, key: SchemaKey, now: Instant, result: Lookup) -> Lookup {
            let count = Arc::clone(&self.count);
            let fetch = || {
                async move {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    count.fetch_add(1, Ordering::SeqCst);
                    result
                }
                .boxed()
            };
            self.cache.get(key, now, fetch).await
        }

        fn count(&self) -> usize {
            self.count.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_concurrent_misses_make_one_request() {
        for result in [schema(1), unknown(), outage()] {
            let fixture = Fixture::default();
            let now = Instant::now();
            let calls = (0..1000).map(|_| fixture.get(KEY, now, result.clone()));
            assert!(join_all(calls).await.iter().all(|one| *one == result));
            assert_eq!(fixture.count(), 1, "{result:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_id_is_requested_once_in_thirty_seconds() {
        let fixture = Fixture::default();
        let start = Instant::now();
        for second in 0..30 {
            let now = start + Duration::from_secs(second);
            assert_eq!(fixture.get(KEY, now, unknown()).await, unknown());
        }
        assert_eq!(fixture.count(), 1);
        let later = start + MISSING_TTL;
        assert_eq!(fixture.get(KEY, later, schema(1)).await, schema(1));
        assert_eq!(fixture.count(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_not_cached_and_does_not_affect_cached_schemas() {
        let fixture = Fixture::default();
        let now = Instant::now();
        for _ in 0..2 {
            assert_eq!(fixture.get(KEY, now, outage()).await, outage());
        }
        assert_eq!(fixture.get(KEY, now, schema(1)).await, schema(1));
        let years = now + Duration::from_secs(10 * 365 * 86_400);
        assert_eq!(fixture.get(KEY, years, outage()).await, schema(1));
        assert_eq!(fixture.count(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_caller_does_not_cancel_the_others() {
        let fixture = Fixture::default();
        let now = Instant::now();
        // The request of a call that is dropped alone ends with it.
        assert!(fixture.get(KEY, now, schema(1)).now_or_never().is_none());
        let mut first = Box::pin(fixture.get(KEY, now, schema(1)));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(fixture.get(KEY, now, schema(1)));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert_eq!(second.await, schema(1));
        assert_eq!(fixture.count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_size_of_the_cache_is_bounded() {
        let fixture = Fixture {
            cache: SchemaCache::with_capacity(10 * (100 + ENTRY_BYTES)),
            ..Fixture::default()
        };
        let now = Instant::now();
        for id in 0..100 {
            let _ = fixture.get(SchemaKey::Id(id), now, schema(100)).await;
        }
        for id in 0..5000 {
            let _ = fixture
                .get(SchemaKey::Id(10_000 + id), now, unknown())
                .await;
        }
        for id in 0..5000 {
            let call = fixture.get(SchemaKey::Id(20_000 + id), now, unknown());
            assert!(call.now_or_never().is_none());
        }
        let state = fixture.cache.lock();
        assert!(state.in_flight.len() <= MAX_MISSING);
        assert_eq!((state.schemas.len(), state.order.len()), (10, 10));
        assert!(state.schemas.contains_key(&SchemaKey::Id(99)));
        assert_eq!(state.missing.len(), MAX_MISSING);
    }
}
