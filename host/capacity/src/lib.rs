//! What messages cost a gateway, as a formula: so many connections, cores, messages, plugins → how busy it is, and how much it could do.
//!
//! ```text
//! measured runs → fit → Coefficients → Model::cost(Workload) → plan
//! ```
//!
//! [`model`] is arithmetic and knows no machine; [`measure`] starts a gateway and takes the runs that the coefficients are fitted to.
//! The crate knows nothing of the others: it meets the gateway as a process, a configuration and sockets.

pub mod calibrate;
pub mod coefficients;
pub mod fit;
pub mod measure;
pub mod model;
pub mod plan;

pub use calibrate::Scale;
pub use coefficients::{Call, Coefficients, Errors, Measured, Memory, Range, Terms};
pub use model::{Part, Transport, Workload};
pub use plan::{Bound, Demand, Plan, Supply, beyond};
