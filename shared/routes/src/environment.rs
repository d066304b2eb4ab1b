//! The functions that conditions can call.

use std::sync::{Arc, LazyLock};

use cel::Env;

use crate::decimal;

/// CEL's standard functions, and `decimal()`.
pub(super) fn environment() -> Arc<Env> {
    static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        // It fails only if the name is declared already. Then the check of a condition reports the missing function.
        let _ = decimal::declare(&mut env);
        Arc::new(env)
    });
    Arc::clone(&ENVIRONMENT)
}
