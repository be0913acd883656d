//! What features remember of an account or a session while it is in memory: at most one value of a type, made when first
//! asked for, gone with what it belongs to.

use std::any::{Any, TypeId, type_name};
use std::fmt;

/// Values by their type. Few, so they are searched one after the other; none take no heap.
#[derive(Default)]
pub struct States(Vec<(TypeId, &'static str, Box<dyn Any + Send + Sync>)>);

impl States {
    /// The value of that type, if one was made.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.find(TypeId::of::<T>()).and_then(|index| self.0.get(index)?.2.downcast_ref())
    }

    /// The value of that type, the default one to begin with.
    #[allow(clippy::expect_used, reason = "a value is stored under its own type")]
    pub fn of<T: Any + Default + Send + Sync>(&mut self) -> &mut T {
        let index = self.find(TypeId::of::<T>()).unwrap_or_else(|| {
            // There are as many of these as there are sessions: no room is kept for what may never come.
            self.0.reserve_exact(1);
            self.0.push((TypeId::of::<T>(), type_name::<T>(), Box::<T>::default()));
            self.0.len().saturating_sub(1)
        });
        let value = self.0.get_mut(index).and_then(|(_, _, value)| value.downcast_mut());
        value.expect("a value is stored under its own type")
    }

    /// Takes the value of that type out.
    pub fn take<T: Any>(&mut self) -> Option<T> {
        let index = self.find(TypeId::of::<T>())?;
        self.0.swap_remove(index).2.downcast().ok().map(|value| *value)
    }

    fn find(&self, id: TypeId) -> Option<usize> {
        self.0.iter().position(|(own, _, _)| *own == id)
    }
}

impl fmt::Debug for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Debug, PartialEq)]
    struct Flag(bool);

    #[test]
    fn each_type_has_one_value_that_lasts() {
        let mut states = States::default();
        assert_eq!(states.get::<Flag>(), None);
        states.of::<Flag>().0 = true;
        *states.of::<u32>() += 7;
        assert_eq!((states.get(), states.get()), (Some(&Flag(true)), Some(&7_u32)));
        assert_eq!(states.take::<Flag>(), Some(Flag(true)));
        assert_eq!((states.take::<Flag>(), states.of::<u32>()), (None, &mut 7));
    }
}
