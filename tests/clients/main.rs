//! The server as real clients meet it: three client libraries in Python, and a program that people chat with.
//!
//! Each test starts a server of its own and runs one scenario of `scenarios/` against it.

#[path = "../support/mod.rs"]
mod support;

mod gajim;
mod profanity;

use std::path::PathBuf;
use std::process::Command;
use support::{DOMAIN, Server, skip};

/// One test for every scenario of a file.
macro_rules! scenarios {
    ($($file:ident { $($name:ident)* })*) => {
        $(mod $file {
            $(#[test]
            fn $name() {
                super::play(stringify!($file), stringify!($name));
            })*
        })*

        const SCENARIOS: &[&str] = &[$($(concat!(stringify!($file), " ", stringify!($name))),*),*];
    };
}

scenarios! {
    account {
        a_user_changes_the_password
        a_user_removes_the_account
    }
    another_library {
        both_libraries_understand_each_other
        it_logs_in_bound_to_the_channel
    }
    archive {
        a_long_archive_is_read_page_by_page
        a_retracted_message_is_gone_from_both_archives
        messages_are_found_by_correspondent_and_time
        messages_from_while_one_was_away_are_in_the_archive
        nobody_reads_somebody_elses_archive
        what_accompanies_conversations_is_kept_as_it_was_sent
    }
    asleep {
        a_phone_that_sleeps_is_woken_and_has_missed_nothing
        a_phone_that_starts_anew_reads_what_it_has_missed_in_the_archive
        a_phone_whose_user_does_not_look_is_left_in_peace
    }
    blocking {
        a_blocked_friend_sees_the_user_go_and_come_back
        blocked_users_cannot_reach_each_other
        every_client_learns_who_is_blocked
    }
    carbons {
        a_private_message_is_not_copied
        every_client_sees_both_sides
        forged_copies_do_not_arrive
    }
    chat {
        a_client_cannot_write_in_another_name
        a_client_goes_on_where_the_network_went_away
        a_client_that_counts_misses_nothing
        every_client_that_wants_messages_gets_them
        many_messages_arrive_in_order
        messages_wait_for_a_client_that_is_not_available
        messages_wait_for_who_is_offline
        nobody_is_told_apart_from_somebody_who_is_not_there
        two_users_chat
        with_a_negative_priority_messages_wait
    }
    components {
        a_component_answers
        a_component_reaches_users
        a_component_that_is_away_is_missed
        a_wrong_secret_attaches_nothing
    }
    encryption {
        one_who_is_offline_reads_it_later
        two_who_are_online_whisper
    }
    files {
        a_file_that_is_too_large_gets_no_slot
        files_of_every_size_come_back_as_they_went
    }
    friends {
        a_contact_that_cannot_be_is_refused
        a_removed_contact_is_gone_on_both_sides
        a_request_waits_for_who_is_offline
        a_roster_that_is_known_is_not_sent_again
        an_unsubscribed_friend_sees_nothing_more
        friends_see_each_other_come_and_go
        names_and_groups_are_kept_and_pushed_to_every_client
        strangers_see_nothing
        two_users_add_each_other
        who_comes_online_is_told_who_is_there
    }
    login {
        a_client_registers_and_logs_in
        a_second_client_with_the_same_resource_takes_over
        a_wrong_password_lets_nobody_in
        every_mechanism_lets_a_client_in
        left_alone_the_client_chooses_scram
        unusual_names_and_passwords_work
        without_a_resource_the_server_chooses_one
    }
    nodes {
        a_node_of_the_service_has_readers
        a_published_avatar_is_in_the_card_and_in_presence
        a_reader_has_a_digest
        bookmarks_are_kept_for_their_owner_and_for_old_clients
        keys_are_published_for_everybody_and_replaced
    }
    rooms {
        a_moderator_keeps_order
        a_room_ends_when_its_owner_says_so
        a_room_for_members_and_its_invitations
        a_room_is_found_and_says_what_it_is
        friends_meet_in_a_room
        who_comes_late_reads_what_was_said
    }
    services {
        a_vcard_can_be_read_by_others
        an_unknown_request_is_refused_not_ignored
        clients_can_ask_each_other
        friends_can_see_when_someone_left
        private_data_are_kept_for_their_owner_alone
        strangers_cannot
        the_server_says_its_version_and_time
        the_server_says_what_it_can_do
    }
}

/// Scenarios that need company, and are played by a test of their own.
const ACCOMPANIED: &[&str] = &[profanity::TOGETHER];

#[test]
fn every_scenario_is_run() {
    let Some(mut python) = python() else { return };
    let output = python.arg("--list").env("ORIOLE_DOMAIN", DOMAIN).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let mut played: Vec<&str> = SCENARIOS.iter().chain(ACCOMPANIED).copied().collect();
    played.sort_unstable();
    assert_eq!(listed.lines().collect::<Vec<_>>(), played);
}

fn play(file: &str, scenario: &str) {
    let Some(mut python) = python() else { return };
    let server = server();
    let output = at(&server, &mut python).args([file, scenario]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = server.log().lines().join("\n");
    assert!(!said.contains("panicked") && !said.contains(" ERROR "), "{said}");
}

/// The server of a scenario.
fn server() -> Server {
    Server::configured("components.'echo.capulet.example'.secret = 's3cret'\nlimits.account.auth_failures = '1000/1h'")
}

/// Tells a scenario where the server is.
fn at<'a>(server: &Server, python: &'a mut Command) -> &'a mut Command {
    python
        .env("ORIOLE_DOMAIN", DOMAIN)
        .env("ORIOLE_C2S", server.c2s().to_string())
        .env("ORIOLE_C2S_TLS", server.c2s_tls().to_string())
        .env("ORIOLE_COMPONENT", server.component().to_string())
        .env("ORIOLE_CERTIFICATE", server.certificate())
        .env("ORIOLE_PROGRAM", env!("CARGO_BIN_EXE_oriole"))
        .env("ORIOLE_CONFIG", server.config_file())
}

/// Python with the libraries of `requirements.txt`, about to run `play.py`; `None` when there is none.
fn python() -> Option<Command> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::var_os("ORIOLE_PYTHON").map(PathBuf::from);
    let interpreters = given.into_iter().chain([root.join("target/venv/bin/python"), "python3".into()]);
    let has_libraries = |python: &PathBuf| {
        let check = Command::new(python).args(["-c", "import slixmpp, aioxmpp"]).output();
        check.is_ok_and(|output| output.status.success())
    };
    let Some(interpreter) = interpreters.into_iter().find(has_libraries) else {
        skip("there is no Python with the libraries of tests/clients/requirements.txt");
        return None;
    };
    let mut python = Command::new(interpreter);
    // No `__pycache__` in the source tree.
    python.arg("-B").arg(root.join("tests/clients/play.py"));
    Some(python)
}
