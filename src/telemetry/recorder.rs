//! The metrics of this process, kept for Prometheus.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Gives the metrics as text.
#[derive(Clone)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// Everything measured so far, in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Does the recorder's housekeeping: without it, histograms grow. Call it every few seconds.
    pub fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Makes `metrics::counter!` and its like count from now on.
///
/// # Errors
/// One line: a recorder has been set up before.
pub fn init_metrics() -> Result<MetricsHandle, String> {
    PrometheusBuilder::new().install_recorder().map(MetricsHandle).map_err(|error| error.to_string())
}
