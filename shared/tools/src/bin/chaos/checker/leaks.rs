//! Verifies that no output contains a secret, plain or encoded.

use super::evidence::Evidence;
use super::verdict::Verdict;
use crate::canary;

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    let secrets: Vec<(&str, Vec<String>)> = canary::SECRETS
        .iter()
        .map(|secret| (*secret, canary::forms(secret)))
        .collect();
    for output in &evidence.outputs {
        for (secret, forms) in &secrets {
            if let Some(form) = forms.iter().find(|form| output.text.contains(*form)) {
                verdict.leaked.add(format!(
                    "{} contains the secret {secret} as {form}",
                    output.name
                ));
            }
        }
    }
}
