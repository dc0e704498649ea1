//! The disk, the clock, certificates and secrets.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings::engine::{Expiry, RefusedFiles};
use tidings::model::condition::Condition;
use tidings::store::redb::{Faults, Volume};
use tidings::store::{Store as _, StoreSettings};

use crate::stage::{DAY, MINUTE, Stage, told};
use crate::support::Setup;
use crate::support::client::Call;

/// A volume that looks as a test says.
#[derive(Debug)]
struct Disk(Mutex<Volume>);

impl Disk {
    fn leave(&self, free: u64) {
        self.0.lock().free = free;
    }
}

impl Faults for Disk {
    fn write(&self, _: u64, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
    fn extend(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn volume(&self) -> Option<Volume> {
        Some(*self.0.lock())
    }
}

#[tokio::test]
async fn a_disk_that_is_nearly_full_is_told_of_on_that_disk() {
    const MIB: u64 = 1 << 20;
    let disk = Arc::new(Disk(Mutex::new(Volume { free: 64 * MIB, taken: 0, hole: 0 })));
    let store = StoreSettings { disk_reserve: 16 * MIB, ..StoreSettings::default() };
    let mut stage = Stage::of(Setup { store, faults: Some(disk.clone()), ..Setup::default() }).await;
    disk.leave(8 * MIB);
    stage.appliance.store.sweep().await.unwrap();
    stage.appliance.send(Call::post("/v1/events", "crm", r#"{"type":"301"}"#)).await.expect(507);
    assert_eq!(stage.look().await, [told(Condition::DiskLow, "started", "data-file")]);
    stage = stage.restart().await;
    stage.appliance.store.sweep().await.unwrap();
    assert_eq!(stage.look().await, []);
    disk.leave(64 * MIB);
    stage.appliance.store.sweep().await.unwrap();
    assert_eq!(stage.look().await, [told(Condition::DiskLow, "ended", "data-file")]);
}

#[tokio::test]
async fn a_clock_in_doubt_is_told_of_until_it_is_trusted() {
    let mut stage = Stage::with(Vec::new()).await;
    stage.appliance.clock.set_synchronised(Some(false));
    stage.appliance.clock.leap(7 * 24 * 3_600_000);
    stage.appliance.store.sweep().await.unwrap();
    let told_of = stage.look_whole().await;
    assert_eq!(told_of.len(), 1, "{told_of:?}");
    assert!(told_of[0]["whatToDo"].as_str().unwrap().contains("tidings clock accept"), "{told_of:?}");
    assert_eq!(stage.look_after(MINUTE).await, []);
    assert_eq!(stage.look_after(DAY).await, [told(Condition::Clock, "continues", "wall-clock")]);
    stage.appliance.engine.accept_clock().await.unwrap();
    assert_eq!(stage.look().await.last(), Some(&told(Condition::Clock, "ended", "wall-clock")));
}

#[tokio::test]
async fn files_that_were_refused_are_told_of_until_good_ones_run() {
    let mut stage = Stage::with(Vec::new()).await;
    let refused = RefusedFiles { since: stage.now(), detail: "tidings.toml:3:1: there is no such key".to_owned() };
    *stage.files.refused.lock() = Some(refused);
    let told_of = stage.look_whole().await;
    assert!(told_of[0]["detail"].as_str().unwrap().contains("tidings.toml:3:1"), "{told_of:?}");
    assert_eq!(stage.look_after(MINUTE).await, []);
    assert_eq!(stage.look_after(DAY).await, [told(Condition::ReloadFailed, "continues", "configuration")]);
    *stage.files.refused.lock() = None;
    assert_eq!(stage.look().await, [told(Condition::ReloadFailed, "ended", "configuration")]);
}

#[tokio::test]
async fn a_certificate_is_told_of_daily_until_it_is_replaced() {
    let mut stage = Stage::with(Vec::new()).await;
    let certificate = |not_after| Expiry {
        condition: Condition::CertificateExpiring,
        subject: "server.tls".to_owned(),
        name: "The certificate of server.tls".to_owned(),
        not_after,
        what_to_do: "Replace it.".to_owned(),
    };
    *stage.files.expiring.lock() = vec![certificate(stage.now().plus(15 * DAY))];
    let told_of = |status| told(Condition::CertificateExpiring, status, "server.tls");
    assert_eq!(stage.look().await, []);
    assert_eq!(stage.look_after(DAY).await, [told_of("started")]);
    for _ in 0..20 {
        assert_eq!(stage.look_after(DAY).await, [told_of("continues")], "and after its end too");
    }
    *stage.files.expiring.lock() = vec![certificate(stage.now().plus(90 * DAY))];
    assert_eq!(stage.look_after(Duration::from_secs(5)).await, [told_of("ended")]);
}
