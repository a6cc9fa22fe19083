//! Assembles the core: every part is made here, in dependency order, and started in
//! its stage.

use crate::accept::Acceptor;
use crate::access::AccessControl;
use crate::channels::ChannelClient;
use crate::closing::DayClosing;
use crate::config::{CoreConfig, CoreSecrets};
use crate::dispatch::{Dispatcher, IsolationQueue};
use crate::guard::fence::FenceClient;
use crate::http::CoreApi;
use crate::http::reads::LedgerReads;
use crate::intake::{IntakeParts, PaymentIntake};
use crate::orders::{OrderSeals, unsealed_repo};
use crate::outbox_relay::{HeldLease, OutboxRelay, ProducerCertificates, producer};
use crate::outcome::{OutcomeDelays, OutcomeRecorder};
use crate::quarantine::OrderQuarantine;
use crate::ready_queue::ReadyQueue;
use crate::recovery::OrderRecovery;
use crate::retention::Retention;
use crate::routing::ActiveRouting;
use crate::saga::{BookingSaga, SagaFollower, SagaRecovery};
use crate::service::database_watch::DatabaseWatch;
use crate::service::listeners::serve_api;
use crate::service::pools::ServicePools;
use crate::service::stages::CoreStages;
use crate::service::watches::{watch_client_tls, watch_fence, watch_keys};
use anyhow::ensure;
use sluice_contract::kafka::KafkaConnection;
use sluice_contract::listener::BoundListener;
use sluice_contract::schema::Schemas;
use sluice_contract::tls::ClientTls;
use std::sync::Arc;

/// Handles of the writers: their queues are open as long as these live.
pub(super) struct WriterHandles {
    _acceptor: Arc<Acceptor>,
    _outcomes: OutcomeRecorder,
}

/// Parts that the makers below share.
struct CoreAssembly<'a> {
    config: &'a CoreConfig,
    secrets: &'a CoreSecrets,
    schemas: &'a Schemas,
    stages: &'a CoreStages,
    pools: ServicePools,
    ready: ReadyQueue,
    fence: FenceClient,
    channels: Arc<[ChannelClient]>,
    seals: OrderSeals,
}

/// Makes and starts every part of the core.
///
/// # Errors
/// Settings that only show when they are used, or a database that went away.
pub(super) async fn start(
    config: &CoreConfig,
    secrets: &CoreSecrets,
    schemas: &Schemas,
    stages: &CoreStages,
    public: BoundListener,
    callbacks: BoundListener,
) -> anyhow::Result<WriterHandles> {
    let ready = ReadyQueue::new(config.dispatch.queue_capacity);
    let fence = FenceClient::start(
        &stages.base,
        &config.fence,
        &config.name,
        schemas,
        (
            secrets.sidecar.clone(),
            secrets.provenance.current().clone(),
        ),
    )?;
    let core = CoreAssembly {
        pools: ServicePools::connect(&config.servers(), schemas)?,
        channels: channel_clients(config, secrets, &ready, stages)?,
        seals: OrderSeals::new(
            &secrets.provenance,
            &secrets.provenance_retired,
            config.accept.unsealed_until_ms()?,
        )
        .signing(secrets.signer())
        .demanding(fence.signed_since()),
        fence,
        ready,
        config,
        secrets,
        schemas,
        stages,
    };
    watch_keys(&stages.base, secrets);
    if secrets.pair.is_none() {
        tracing::warn!(
            "transactions are signed with a key that every sidecar has: give the cores a key pair (docs/SECURITY.md)"
        );
    }
    core.watch_database().await;
    core.insist_on_sealed().await?;
    let follower = core.saga().await?;
    let outcomes = core.outcomes(follower.as_ref());
    let acceptor = core.acceptor(follower.as_ref());
    core.intake(&acceptor)?;
    let quarantine = OrderQuarantine::new(&core.pools.orders, schemas, core.seals.signer());
    core.recovery(&outcomes, &quarantine);
    core.relay()?;
    core.retention();
    core.day_closing();
    core.dispatcher(&outcomes, quarantine);
    watch_fence(&stages.base, core.fence.clone());
    let api = core.api(&acceptor, &outcomes)?;
    serve_api(&stages.entrances, public, callbacks, Arc::new(api));
    tracing::info!(listen = %config.listen, callbacks = %config.callbacks.listen, admin = %config.admin, "core is up");
    Ok(WriterHandles {
        _acceptor: acceptor,
        _outcomes: outcomes,
    })
}

/// The channels' clients, in the order of preference of the settings.
fn channel_clients(
    config: &CoreConfig,
    secrets: &CoreSecrets,
    ready: &ReadyQueue,
    stages: &CoreStages,
) -> anyhow::Result<Arc<[ChannelClient]>> {
    let pairs = config.channels.iter().zip(secrets.channels.iter().cloned());
    let clients = pairs.map(|(channel, keys)| {
        let of = format!("channel {}", channel.id);
        let tls = ClientTls::load(&of, &channel.tls)?;
        let client = ChannelClient::new(channel, keys, ready, tls.as_ref())?;
        watch_client_tls(&stages.base, &of, tls);
        anyhow::Ok(client)
    });
    Ok(clients.collect::<Result<Vec<_>, _>>()?.into())
}

impl CoreAssembly<'_> {
    /// Waits until the clocks agree, and watches them and the database from then on.
    async fn watch_database(&self) {
        let watch = DatabaseWatch {
            pool: self.pools.orders.clone(),
            schemas: self.schemas.clone(),
            name: self.config.name.clone(),
            readiness: self.stages.readiness.clone(),
            max_skew_us: self.config.mysql.max_clock_skew_us(),
        };
        watch.clock_is_right().await;
        watch.start(&self.stages.base);
    }

    /// Looks whether the orders in flight have the seals that this core demands.
    ///
    /// # Errors
    /// They have not, and the settings don't say until when.
    async fn insist_on_sealed(&self) -> anyhow::Result<()> {
        let mut conn = self.pools.orders.get_conn().await?;
        let found = unsealed_repo::sample_of_unsealed(&mut conn).await?;
        self.seals.insist_on_sealed(&found)
    }

    /// Starts the saga if balance and ledger have servers of their own.
    ///
    /// # Errors
    /// They are together, yet bookings of a time apart are open: nobody would make them.
    async fn saga(&self) -> anyhow::Result<Option<SagaFollower>> {
        let ServicePools {
            orders,
            balance,
            ledger,
            reads: _,
        } = &self.pools;
        if !self.config.servers().are_split() {
            let (open, _) = crate::intents::repo::open(&mut orders.get_conn().await?).await?;
            ensure!(
                open == 0,
                "{open} bookings are still open from when balance and ledger were apart: set balance.url and ledger.url as \
                 before, let sluice_core_saga_open_bookings reach 0, then move the data"
            );
            return Ok(None);
        }
        let saga = Arc::new(BookingSaga::new(
            orders.clone(),
            balance.clone(),
            ledger.clone(),
            self.schemas,
            &self.seals,
            &self.ready,
        ));
        SagaRecovery {
            saga: saga.clone(),
            readiness: self.stages.readiness.clone(),
        }
        .start(&self.stages.saga);
        tracing::info!("balance and ledger are apart: bookings go through the saga");
        Ok(Some(SagaFollower::start(&self.stages.saga, &saga)))
    }

    fn kafka(&self) -> KafkaConnection {
        let password = self.secrets.kafka.as_ref();
        self.config.kafka.connection(password)
    }

    fn outcomes(&self, follower: Option<&SagaFollower>) -> OutcomeRecorder {
        OutcomeRecorder::start(
            &self.stages.writers,
            &self.pools.orders,
            self.schemas,
            &self.seals,
            &OutcomeDelays::of(self.config),
            &self.ready,
            follower,
        )
    }

    fn acceptor(&self, follower: Option<&SagaFollower>) -> Arc<Acceptor> {
        Acceptor::start(
            &self.stages.writers,
            &self.config.accept,
            &self.pools.orders,
            self.schemas,
            self.seals.signer(),
            &self.ready,
            follower.map(|f| f.saga().clone()),
        )
    }

    fn intake(&self, acceptor: &Arc<Acceptor>) -> anyhow::Result<()> {
        let kafka = self.kafka();
        if !self.config.intake.enabled || kafka.brokers.is_empty() {
            return Ok(());
        }
        let intake = IntakeParts {
            kafka: &kafka,
            producers: self.secrets.producers.clone(),
            acceptor: acceptor.clone(),
            pool: self.pools.orders.clone(),
            provenance: &self.secrets.provenance,
            provenance_retired: &self.secrets.provenance_retired,
        };
        PaymentIntake::start(&self.stages.entrances, &self.config.intake, intake)
    }

    fn recovery(&self, outcomes: &OutcomeRecorder, quarantine: &OrderQuarantine) {
        OrderRecovery {
            config: self.config.recovery.clone(),
            pool: self.pools.orders.clone(),
            schemas: self.schemas.clone(),
            key: self.seals.signer().clone(),
            seals: self.seals.clone(),
            fence: self.fence.clone(),
            channels: self.channels.clone(),
            outcomes: outcomes.clone(),
            quarantine: quarantine.clone(),
            parts: self.stages.senders.clone(),
        }
        .start();
    }

    fn relay(&self) -> anyhow::Result<()> {
        let kafka = self.kafka();
        let relay = OutboxRelay {
            pool: self.pools.orders.clone(),
            schemas: self.schemas.clone(),
            key: self.seals.signer().clone(),
            owner: format!("{}-{:08x}", self.config.name, rand::random::<u32>()),
            archive_after: self.config.retention.outbox_archive_after(),
            gives_up: self.config.retention.outbox_gives_up,
            counted: None,
            certificates: (!kafka.brokers.is_empty()).then(|| ProducerCertificates::of(&kafka)),
            producer: (!kafka.brokers.is_empty())
                .then(|| producer(&kafka))
                .transpose()?,
            held: HeldLease::default(),
        };
        relay.start(&self.stages.publishing);
        Ok(())
    }

    fn retention(&self) {
        let retention = Retention {
            pool: self.pools.orders.clone(),
            schemas: self.schemas.clone(),
            owner: format!("{}-{:08x}", self.config.name, rand::random::<u32>()),
            config: self.config.retention.clone(),
            key: self.seals.signer().clone(),
        };
        retention.start(&self.stages.senders);
    }

    fn day_closing(&self) {
        let closing = DayClosing {
            balance: self.pools.balance.clone(),
            ledger: self.pools.ledger.clone(),
            together: !self.config.servers().are_split(),
            schemas: self.schemas.clone(),
            owner: format!("{}-{:08x}", self.config.name, rand::random::<u32>()),
            orders: self.pools.orders.clone(),
        };
        closing.start(&self.stages.senders);
    }

    fn dispatcher(&self, outcomes: &OutcomeRecorder, quarantine: OrderQuarantine) {
        if !self.config.dispatch.enabled {
            return;
        }
        let ids = self.config.channels.iter().map(|c| c.id.as_str());
        Dispatcher {
            config: self.config.dispatch.clone(),
            pool: self.pools.orders.clone(),
            schemas: self.schemas.clone(),
            key: self.seals.signer().clone(),
            seals: self.seals.clone(),
            together: !self.config.servers().are_split(),
            fence: self.fence.clone(),
            routing: ActiveRouting::new(ids),
            channels: self.channels.clone(),
            outcomes: outcomes.clone(),
            ready: self.ready.clone(),
            suspects: IsolationQueue::new(quarantine),
            day_zone: self.config.day_zone.clone(),
            parts: self.stages.senders.clone(),
        }
        .start();
    }

    fn api(&self, acceptor: &Arc<Acceptor>, outcomes: &OutcomeRecorder) -> anyhow::Result<CoreApi> {
        let access = AccessControl::new(self.config, self.secrets, self.pools.orders.clone())?;
        access.start(&self.stages.base);
        Ok(CoreApi {
            acceptor: acceptor.clone(),
            outcomes: outcomes.clone(),
            pool: self.pools.orders.clone(),
            balance: self.pools.balance.clone(),
            ledger: self.pools.ledger.clone(),
            reads: LedgerReads::new(self.pools.reads.clone()),
            schemas: self.schemas.clone(),
            provenance: self.secrets.provenance.clone(),
            signer: self.seals.signer().clone(),
            fence: self.fence.clone(),
            channels: self.channels.clone(),
            refund_unknown_payer: self.config.accept.refund_unknown_payer,
            access: Arc::new(access),
            default_currency: self.config.default_currency.parse()?,
            max_body_bytes: self.config.accept.max_body_bytes,
            listing_delay_ms: self.config.listing.delay_ms,
        })
    }
}
