//! What of an account's archive a session has read already, or has been told to read (XEP-0386 section 3.2). Offline messages
//! that are in there need not be sent to it again (XEP-0313 section 6.1.1).

use crate::store::Seq;

/// Kept in [`Session::states`](crate::account::Session) of a session that has queried its archive.
#[derive(Clone, Debug, Default)]
pub struct CatchUp {
    /// One stretch that was read without gaps: behind the first id, up to the second.
    read: Option<(Seq, Seq)>,
}

impl CatchUp {
    /// A stretch has been sent to the session. Joined with what it has if there is no gap between; else the newer one counts.
    pub fn add(&mut self, stretch: (Seq, Seq)) {
        self.read = Some(match self.read {
            Some((from, to)) if stretch.0 <= to && from <= stretch.1 => (from.min(stretch.0), to.max(stretch.1)),
            Some(read) if read.1 > stretch.1 => read,
            _ => stretch,
        });
    }

    /// Whether the session has been sent the message with that id in the account's archive.
    pub fn has_read(&self, id: Seq) -> bool {
        self.read.is_some_and(|(from, to)| from < id && id <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_a_stretch() {
        let mut read = CatchUp::default();
        assert!(!read.has_read(Seq(1)));
        read.add((Seq(10), Seq(20)));
        read.add((Seq(20), Seq(30)));
        assert_eq!([10, 11, 25, 30, 31].map(|id| read.has_read(Seq(id))), [false, true, true, true, false]);
        read.add((Seq(5), Seq(10)));
        assert!(read.has_read(Seq(6)) && read.has_read(Seq(30)));
        read.add((Seq(40), Seq(50)));
        assert!(!read.has_read(Seq(20)) && read.has_read(Seq(45)), "there may be something between");
        read.add((Seq(1), Seq(3)));
        assert!(!read.has_read(Seq(2)) && read.has_read(Seq(45)));
    }
}
