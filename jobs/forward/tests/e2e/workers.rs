//! Windows that workers share, on a broker whose topics have ids.

use std::collections::BTreeSet;

use forward::program;
use forward::workers::{Workers, run_task};

use crate::stage::Stage;

/// Workers in threads of the test, which are lost after they have delivered.
struct Lost;

impl Workers for Lost {
    fn tasks(&self) -> Result<usize, String> {
        Ok(2)
    }

    fn slice_offsets(&self) -> Result<Option<i64>, String> {
        Ok(Some(10))
    }

    fn execute(&self, task: &[u8]) -> Result<Vec<u8>, String> {
        run_task(task).map_err(|error| error.to_string())?;
        Err("the worker was lost".to_owned())
    }

    fn cancel(&self) {}
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn what_lost_workers_have_delivered_is_repeated_with_the_same_keys() {
    let (stage, a, b) = Stage::accepting("workers", 2).await;
    stage.write_users(1010, "u", 40, 2);
    let (url_a, url_b) = (a.url(), b.url());
    let arguments = [
        "frontdoor-spark",
        "run",
        "--kafka-bootstrap-servers",
        &stage.bootstrap,
        "--kafka-topic",
        &stage.topic,
        "--kafka-group-id",
        &stage.group,
        "--api-type-a-url",
        &url_a,
        "--api-type-b-url",
        &url_b,
    ];
    // The program has a runtime of its own.
    let code = std::thread::scope(|scope| {
        let run = || program::main(arguments.iter().map(Into::into), Some(&Lost));
        scope.spawn(run).join().unwrap()
    });
    assert_eq!((code, a.count()), (70, 40));
    stage.run().expect_one_of(&[0]);
    let requests = a.requests();
    let keys: BTreeSet<_> = requests
        .iter()
        .map(|request| request.header("idempotency-key").unwrap())
        .collect();
    assert_eq!((requests.len(), keys.len()), (80, 40), "{keys:?}");
}
