//! Metrics of a service, as Prometheus would read them.

/// The value of a metric without labels, which is 0 before it was first counted. `None` if the
/// service does not answer.
pub async fn metric(url: &str, name: &str) -> Option<f64> {
    let text = reqwest::get(format!("{url}/metrics")).await.ok()?.text().await.ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    Some(value.unwrap_or(0.0))
}
