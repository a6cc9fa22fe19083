//! Cases that no order's move comes with, each in a transaction of its own.

use crate::cases::OrderCase;
use crate::transaction::Transaction;
use crate::unit_of_work::UnitOfWork;
use sluice_contract::clock::now_us;
use sluice_contract::provenance::TransactionSigner;
use sluice_contract::schema::Schemas;
use sluice_contract::sql::Pool;

/// Opens a case, signed like every other write.
///
/// # Errors
/// The server's; what fails is undone when the pool resets the connection.
pub async fn open_case(
    pool: &Pool,
    schemas: &Schemas,
    key: &TransactionSigner,
    case: OrderCase,
) -> anyhow::Result<()> {
    let unit_of_work = UnitOfWork {
        cases: vec![case],
        ..UnitOfWork::default()
    };
    let mut conn = pool.get_conn().await?;
    let transaction = Transaction::deferred(&mut conn);
    unit_of_work
        .commit(transaction, schemas, key, now_us())
        .await
}
