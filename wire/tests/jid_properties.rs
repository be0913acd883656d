//! What holds for every address, whatever was typed.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use wire::jid::Jid;
use wire::precis;

/// Characters that some rule is about, among any others.
fn interesting() -> impl Strategy<Value = String> {
    let special = "@/.-:[]xn\u{3002}\u{ff0e}\u{ff20}\u{ff0f}\u{ff21}\u{ff76}\u{ff9e}\u{df}\u{3a3}\u{3c2}\u{130}\u{212a}\u{2126}\u{301}\u{307}\u{345}\
                   \u{5d0}\u{627}\u{661}\u{6f1}\u{64e}\u{200c}\u{200d}\u{94d}\u{915}\u{fe0f}\u{1f600}\u{2764}\u{a0}\u{ad}\u{b7}l\u{30fb}\u{30ab}\
                   \u{1100}\u{1161}\u{11a8}\u{ac00}\u{13a0}\u{ab70}\u{1f88}\u{1fc4}\u{e0067}\u{1f3f4}\u{378}\u{0}\u{9}\u{20}";
    let special: Vec<char> = special.chars().collect();
    let c = prop_oneof![
        4 => prop::char::range('a', 'z'),
        3 => prop::char::range(' ', '~'),
        5 => prop::sample::select(special),
        3 => any::<char>(),
        2 => prop::char::range('\u{80}', '\u{3000}'),
    ];
    prop::collection::vec(c, 0..24).prop_map(String::from_iter)
}

fn check(typed: &str) -> Result<(), TestCaseError> {
    let Ok(jid) = Jid::parse(typed) else { return Ok(()) };
    prop_assert_eq!(Jid::parse(jid.as_ref()), Ok(jid.clone()), "{:?}", typed);
    prop_assert_eq!(Jid::from_parts(jid.local(), jid.domain(), jid.resource()), Ok(jid.clone()), "{:?}", typed);
    for part in [jid.local(), Some(jid.domain()), jid.resource()].into_iter().flatten() {
        prop_assert!((1..=1023).contains(&part.len()));
    }
    let local = jid.local().map_or(String::new(), |local| format!("{local}@"));
    let resource = jid.resource().map_or(String::new(), |resource| format!("/{resource}"));
    prop_assert_eq!(format!("{local}{}{resource}", jid.domain()), jid.as_str());
    prop_assert_eq!(format!("{local}{}", jid.domain()), jid.bare_str());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7622),
        ..ProptestConfig::default()
    })]

    #[test]
    fn preparing_an_address_again_changes_nothing(typed in interesting()) {
        check(&typed)?;
    }

    #[test]
    fn nor_does_it_when_the_parts_are_apart(local in interesting(), domain in interesting(), resource in interesting()) {
        check(&format!("{local}@example.com"))?;
        check(&domain)?;
        check(&format!("{domain}.example"))?;
        check(&format!("example.com/{resource}"))?;
        if let Ok(jid) = Jid::from_parts(Some(&local), "example.com", Some(&resource)) {
            check(jid.as_str())?;
        }
    }

    /// The short road for addresses in normal form decides as the long one.
    #[test]
    fn ascii_goes_either_road(typed in "[a-cA-C0-9.@/ \"&':<>_xn-]{0,12}") {
        let (bare, resource) = typed.split_once('/').map_or((&*typed, None), |(bare, resource)| (bare, Some(resource)));
        let (local, domain) = bare.split_once('@').map_or((None, bare), |(local, domain)| (Some(local), domain));
        prop_assert_eq!(Jid::parse(&typed), Jid::from_parts(local, domain, resource));
    }

    #[test]
    fn profiles_are_stable(typed in interesting()) {
        if let Ok(once) = precis::username_case_mapped(&typed) {
            prop_assert_eq!(precis::username_case_mapped(&once).unwrap(), once.clone());
        }
        if let Ok(once) = precis::password(&typed) {
            prop_assert_eq!(precis::password(&once).unwrap(), once);
        }
        let once = precis::without_emoji_joiners(&typed);
        prop_assert_eq!(precis::without_emoji_joiners(&once), once.clone());
    }

    /// Wherever the strict rule of the stringprep crate accepts, ours gives the same; it accepts more only for unassigned characters.
    #[test]
    fn saslprep_differs_from_the_strict_rule_only_in_unassigned_characters(typed in interesting()) {
        match (precis::saslprep(&typed), stringprep::saslprep(&typed)) {
            (Ok(ours), Ok(strict)) => prop_assert_eq!(ours, strict),
            (Ok(ours), Err(_)) => prop_assert!(ours.contains(stringprep::tables::unassigned_code_point)),
            (Err(error), Ok(strict)) => prop_assert!(error == precis::Error::Empty && strict.is_empty()),
            (Err(_), Err(_)) => {}
        }
    }
}
