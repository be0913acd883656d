//! What an operator sees of rooms, whether or not the server is running.

use super::admin::store_failed;
use crate::admin::{AdminError, Room};
use crate::config::{AccountName, Config, DomainName};
use xeps::muc::operate::{self, Edit, NotEdited};
use xeps::store::Store;

/// The rooms of one host, or of all.
pub(super) async fn list(
    config: &Config,
    store: &dyn Store,
    host: Option<&DomainName>,
) -> Result<Vec<Room>, AdminError> {
    if host.is_some_and(|host| !config.hosts.contains_key(host)) {
        return Err(AdminError::NotFound("that host is not served here".to_owned()));
    }
    let mut rooms = Vec::new();
    for (domain, own) in config.hosts.iter().filter(|(domain, _)| host.is_none_or(|host| host == *domain)) {
        let service = own.rooms.domain_for(domain);
        for room in operate::list(store, service.as_str()).await.map_err(store_failed)? {
            rooms.extend(room.address.parse().ok().map(|address| Room { address, name: room.name }));
        }
    }
    Ok(rooms)
}

/// What is known of a room.
pub(super) async fn show(store: &dyn Store, room: &AccountName) -> Result<Vec<(String, String)>, AdminError> {
    operate::describe(store, room.jid()).await.map_err(store_failed)?.ok_or_else(|| unknown(room))
}

/// Prepares a change of a room's configuration.
pub(super) async fn edit(
    store: &dyn Store,
    room: &AccountName,
    values: &[(String, String)],
) -> Result<Edit, AdminError> {
    operate::edit(store, room.jid(), values).await.map_err(|error| match error {
        NotEdited::NoRoom => unknown(room),
        NotEdited::Store(error) => store_failed(error),
        error @ (NotEdited::NoField(_) | NotEdited::Unacceptable(_)) => AdminError::Invalid(error.to_string()),
    })
}

pub(super) fn unknown(room: &AccountName) -> AdminError {
    AdminError::NotFound(format!("there is no room {room}"))
}
