//! A filter that lets everything by.

use fluvio_smartmodule::{RecordData, Result, SmartModuleRecord, smartmodule};

#[smartmodule(filter)]
pub fn filter(record: &SmartModuleRecord) -> Result<bool> {
    let value: &RecordData = &record.value;
    Ok(!value.as_ref().is_empty())
}
