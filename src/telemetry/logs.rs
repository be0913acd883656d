//! Log lines on standard error, for people or as JSON, with a filter that can be changed while the server runs.

use crate::config::{Log, LogFormat};
use std::{
    env,
    fmt::Write,
    io::{self, IsTerminal},
};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, Registry, fmt, fmt::MakeWriter, layer::SubscriberExt, reload};

/// Changes what is logged.
#[derive(Debug, Clone)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Replaces the filter: a level, or directives as `info,oriole::tls=debug`.
    ///
    /// # Errors
    /// One line that says what is wrong with `filter`; the old one stays.
    pub fn set(&self, filter: &str) -> Result<(), String> {
        let filter = parse(filter)?;
        self.0.reload(filter).map_err(|error| error.to_string())
    }
}

/// Sends the log lines of this process to standard error from now on.
///
/// # Errors
/// One line: a module's name is no name, or logging has been set up before.
pub fn init_logs(log: &Log) -> Result<LogHandle, String> {
    let stderr_is_for_people = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    let colours = if stderr_is_for_people { Colours::On } else { Colours::Off };
    let (subscriber, handle) = subscriber(log, colours, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|error| error.to_string())?;
    Ok(handle)
}

/// The filter that a configuration describes, as a list of directives.
pub fn filter_of(log: &Log) -> String {
    let mut filter = log.level.as_str().to_owned();
    for (module, level) in &log.modules {
        let _ = write!(filter, ",{module}={}", level.as_str());
    }
    filter
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colours {
    On,
    Off,
}

type Logger = Box<dyn Subscriber + Send + Sync>;

fn subscriber<W>(log: &Log, colours: Colours, writer: W) -> Result<(Logger, LogHandle), String>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(parse(&filter_of(log))?);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(writer).with_ansi(colours == Colours::On);
    let subscriber: Logger = match log.format {
        LogFormat::Human => Box::new(registry.with(lines)),
        LogFormat::Json => Box::new(registry.with(lines.json().flatten_event(true))),
    };
    Ok((subscriber, LogHandle(handle)))
}

fn parse(filter: &str) -> Result<EnvFilter, String> {
    let expected = || {
        format!(
            "expected off, error, warn, info, debug, trace or directives such as \"info,oriole::tls=debug\", found {filter:?}"
        )
    };
    // The library takes any word for the name of a module, so that a mistyped level would switch everything off.
    let is_directive = |part: &str| {
        part.contains('=')
            || (!part.is_empty()
                && part.trim().parse::<LevelFilter>().is_ok()
                && !part.trim().starts_with(|c: char| c.is_ascii_digit()))
    };
    if !filter.split(',').all(is_directive) {
        return Err(expected());
    }
    EnvFilter::builder().with_default_directive(LevelFilter::OFF.into()).parse(filter).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Level;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    fn logger(log: &Log) -> (Logger, LogHandle, Lines) {
        let lines = Lines::default();
        let writer = lines.clone();
        let (subscriber, handle) = subscriber(log, Colours::Off, move || writer.clone()).unwrap();
        (subscriber, handle, lines)
    }

    #[test]
    fn the_filter_can_be_changed_at_run_time() {
        let (subscriber, handle, lines) = logger(&Log::default());
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("unheard");
            assert_eq!(lines.take(), "");
            handle.set("debug").unwrap();
            tracing::debug!("heard");
            assert!(lines.take().contains("heard"));
            handle.set("off,oriole::telemetry=error").unwrap();
            tracing::warn!("unheard");
            assert_eq!(lines.take(), "");
            assert!(handle.set("verbose").unwrap_err().contains("found \"verbose\""));
            tracing::error!("the old filter stays");
            assert!(lines.take().contains("the old filter stays"));
        });
    }

    #[test]
    fn modules_have_their_own_level() {
        let mut log = Log { level: Level::Warn, ..Log::default() };
        log.modules.insert("oriole::telemetry".to_owned(), Level::Trace);
        assert_eq!(filter_of(&log), "warn,oriole::telemetry=trace");
        let (subscriber, _, lines) = logger(&log);
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!("here");
            tracing::info!(target: "elsewhere", "there");
            let lines = lines.take();
            assert!(lines.contains("here") && !lines.contains("there"));
        });
    }

    #[test]
    fn a_line_can_be_an_object() {
        let log = Log { format: LogFormat::Json, ..Log::default() };
        let (subscriber, _, lines) = logger(&log);
        tracing::subscriber::with_default(subscriber, || tracing::info!(port = 5222, "listening"));
        let line: serde_json::Value = serde_json::from_str(&lines.take()).unwrap();
        assert_eq!(
            (&line["message"], &line["port"], &line["level"]),
            (&"listening".into(), &5222.into(), &"INFO".into())
        );
    }
}
