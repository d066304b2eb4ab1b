use super::*;

/// A partition with the offsets 0 to 9.
fn at(partition: i32) -> PartitionOffsets {
    PartitionOffsets {
        partition,
        low: 0,
        high: 10,
        committed: None,
        metadata: String::new(),
        start_time_offset: None,
        end_time_offset: None,
    }
}

fn offsets<const N: usize>(offsets: [(i32, i64); N]) -> BTreeMap<i32, i64> {
    BTreeMap::from(offsets)
}

#[test]
fn an_offset_is_beyond_the_log_if_it_is_above_its_end() {
    let topic = [at(0), at(1)];
    assert_eq!(beyond_ends(&offsets([(0, 10), (1, 3)]), &topic), None);
    assert_eq!(
        beyond_ends(&offsets([(0, 11), (1, 99)]), &topic).unwrap(),
        "beyond the end of the log, offset 10 of partition 0, 10 of partition 1"
    );
}

#[test]
fn a_time_is_beyond_the_log_if_no_partition_has_a_later_record() {
    let time = WindowStart::Time(1);
    let none = [at(0), at(1)];
    assert!(start_beyond_log(&time, &none).is_some());
    assert!(end_beyond_log(&WindowEnd::Time(1), &none).is_some());
    let mut one = [at(0), at(1)];
    one[1].start_time_offset = Some(4);
    assert_eq!(start_beyond_log(&time, &one), None);
    let empty = PartitionOffsets { high: 0, ..at(0) };
    assert_eq!(start_beyond_log(&time, &[empty]), None);
}

#[tokio::test]
async fn a_partition_of_a_new_topic_is_read_up_to_the_end_of_the_window() {
    let scope = |topic: &str| Scope {
        topic: topic.to_owned(),
        routes: 1,
    };
    let map = OffsetMap {
        scanned: 7,
        gaps: Vec::new(),
    };
    let committed = PartitionOffsets {
        committed: Some(7),
        metadata: offset_map::encode(&map, 7, &scope("deleted"), 4096),
        ..at(0)
    };
    let mut topic = TopicOffsets {
        stream: record::StreamId {
            cluster: String::new(),
            topic: String::new(),
        },
        topic_id: Some("new".to_owned()),
        partition_offsets: vec![committed],
        leader_epochs: BTreeMap::new(),
    };
    let settings = [("ON_DATA_LOSS", "continue")];
    let mut config = crate::config::tests::config(&settings).await.unwrap();
    let mut range = |end, end_time_offset| {
        config.window_end = end;
        topic.partition_offsets[0].end_time_offset = end_time_offset;
        let planned = plan_window(&config, &topic, None, &scope("new"))
            .ok()
            .unwrap();
        let range = planned.window.range(0).unwrap();
        (range.start, range.end)
    };
    assert_eq!(range(WindowEnd::Now, None), (0, 10));
    assert_eq!(range(WindowEnd::Offsets(offsets([(0, 5)])), None), (0, 5));
    assert_eq!(range(WindowEnd::Time(1), Some(6)), (0, 6));
    assert_eq!(range(WindowEnd::Time(1), None), (0, 10));
}

#[test]
fn a_loss_has_a_number_only_if_it_is_known() {
    let loss = || vec!["partition 0: gone".to_owned()];
    let unknown = "an unknown number of records was lost before this run read them: ";
    for (recreated, losses, records, expected) in [
        (None, Vec::new(), Some(0), None),
        (
            Some("created again"),
            Vec::new(),
            None,
            Some("created again".to_owned()),
        ),
        (
            None,
            loss(),
            Some(3),
            Some("3 records were lost before this run read them: partition 0: gone".to_owned()),
        ),
        (
            None,
            loss(),
            Some(0),
            Some(format!("{unknown}partition 0: gone")),
        ),
        (
            Some("created again"),
            loss(),
            None,
            Some(format!("{unknown}created again; partition 0: gone")),
        ),
    ] {
        assert_eq!(
            describe(recreated.map(str::to_owned), losses, records),
            expected
        );
    }
}
