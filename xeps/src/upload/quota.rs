//! How much room there is for files: each user has some, and all users together.

/// How many bytes there may be.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// All files of one user.
    pub user: u64,
    /// All files of a service.
    pub host: u64,
}

/// How many bytes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    pub user: u64,
    pub host: u64,
}

/// Whose room is used up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Full {
    User,
    Host,
}

impl Quota {
    /// Whether there is room for so many bytes more.
    ///
    /// # Errors
    /// Whose room would be used up: the user's, who may do something about it, before the host's.
    pub fn admits(&self, used: Used, size: u64) -> Result<(), Full> {
        let fits = |used: u64, most: u64| used.checked_add(size).is_some_and(|after| after <= most);
        match (fits(used.user, self.user), fits(used.host, self.host)) {
            (true, true) => Ok(()),
            (false, _) => Err(Full::User),
            (true, false) => Err(Full::Host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_fits() {
        let quota = Quota { user: 100, host: u64::MAX };
        let used = |user, host| Used { user, host };
        assert_eq!(quota.admits(used(60, 60), 40), Ok(()));
        assert_eq!(quota.admits(used(60, 60), 41), Err(Full::User));
        assert_eq!(quota.admits(used(0, u64::MAX), 0), Ok(()));
        assert_eq!(quota.admits(used(0, u64::MAX), 1), Err(Full::Host));
    }
}
