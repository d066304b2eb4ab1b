//! Checks at the start of a run that read files and load the principal.

use std::thread;

use super::{Auth, RouteConfig};

impl RouteConfig {
    /// Checks what requests need from this machine: TLS files, and the Oracle Cloud principal. Sends requests only for
    /// an instance principal.
    ///
    /// # Errors
    /// Which route and member, and why.
    pub fn check_start(routes: &[Self]) -> Result<(), String> {
        routes.iter().try_for_each(Self::check_files)?;
        // All routes have the same signer.
        let signer = routes.iter().find_map(|route| match &route.auth {
            Auth::Oci(signer) => Some((route, signer)),
            _ => None,
        });
        let Some((route, signer)) = signer else {
            return Ok(());
        };
        // On a thread of its own, because the caller may be inside of a runtime.
        let ready = thread::scope(|scope| {
            let ready = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| error.to_string())?;
                let ready = runtime.block_on(signer.ready());
                ready.map_err(|error| error.to_string())
            });
            let ended = ready.join();
            ended.unwrap_or_else(|_| Err("loading the principal failed".to_owned()))
        });
        ready.map_err(|error| format!("route {:?}: auth: oci: {error}", route.name))
    }

    /// Checks the TLS files.
    ///
    /// # Errors
    /// Which route and member, and why.
    pub fn check_files(&self) -> Result<(), String> {
        let token = match &self.auth {
            Auth::OAuth2 { tls, .. } => tls.as_ref(),
            _ => None,
        };
        for (member, tls) in [("tls", self.tls.as_ref()), ("auth: oauth2: tls", token)] {
            let checked = tls.map_or(Ok(()), |tls| tls.check());
            checked.map_err(|error| format!("route {:?}: {member}: {error}", self.name))?;
        }
        Ok(())
    }
}
