//! What every store must keep: one suite of cases that runs on each backend, and a comparison with
//! a simple model. What only one backend can do wrong is tested in a file of its own.
//!
//! A backend joins with one line, `suite!(name, opener)`; the opener is an `async fn() -> Fixture`
//! and gives an empty store each time.

mod deciding;
mod keeping;
mod model;
mod sqlite;
mod suite;
mod upgrading;

/// Makes one test of each case of the suite, for one backend.
macro_rules! suite {
    ($backend:ident, $open:path) => {
        mod $backend {
            suite! { @tests $open;
                accepting {
                    a_new_event_makes_a_waiting_delivery
                    an_event_is_kept_byte_for_byte
                    a_repeat_is_counted_and_makes_nothing
                    a_repeat_of_a_dead_one_is_delivered_again
                    an_ignored_event_is_kept_with_its_reason
                    an_event_that_names_nobody_never_waits
                    one_of_many_equal_events_is_new
                    what_was_accepted_survives
                }
                accepting_many {
                    each_is_taken_in_as_if_it_came_alone
                    many_are_taken_in_and_survive
                    handed_in_again_they_do_no_harm
                    others_are_served_in_between
                }
                leasing {
                    a_lease_takes_all_due_deliveries_oldest_first
                    nobody_is_leased_twice
                    only_persons_of_the_source_are_leased
                    nobody_is_picked_for_a_lane_that_is_left_out
                    those_due_first_are_leased_first
                    nothing_is_leased_before_it_is_due
                    live_goes_before_bulk
                    the_lane_of_a_retry_counts
                    bulk_fills_what_live_leaves
                    live_fills_what_bulk_leaves
                    requests_for_one_person_serve_both_lanes
                    both_lanes_of_a_person_are_leased_together
                    an_arrival_during_a_lease_is_leased_after_it
                    more_than_the_most_comes_with_further_leases
                    due_counts_persons_and_names_the_next
                }
                running_out {
                    a_lease_that_ran_out_is_taken_back_and_counts_a_kill
                    kills_survive_and_end_when_it_is_settled
                    a_lease_given_back_costs_nothing
                    a_lost_lease_changes_nothing
                    a_late_settle_counts_while_nobody_took_over
                    a_lease_covers_its_time_and_not_more
                }
                settling {
                    a_settled_delivery_is_stored_as_it_is
                    a_retry_comes_back_when_it_is_due
                    what_is_not_handed_back_waits_on
                    a_strange_delivery_is_not_written
                    links_are_kept_and_found_by_account
                    a_taken_account_changes_nothing
                    an_account_can_pass_to_another_person
                    many_workers_settle_everything_once
                }
                linking {
                    who_awaits_a_manager_is_found
                    appointments_come_earliest_first
                    an_appointment_never_comes_early
                    a_refused_link_is_not_found
                    strange_names_wait_apart
                    all_links_of_a_source_are_walked
                    a_walk_leaves_out_nothing_while_links_change
                    an_unlinked_account_is_free
                    nobody_is_unlinked_under_lease
                    a_choice_is_kept_apart_from_the_link
                }
                noting {
                    a_note_is_written_by_who_knows_it
                    a_note_holds_any_text
                    of_many_who_try_one_succeeds
                    notes_are_listed_by_the_beginning_of_their_names
                }
                looking {
                    what_is_unknown_is_none
                    each_filter_filters
                    pages_follow_each_other_newest_first
                    a_newer_record_is_refused_with_a_reason
                    an_unreadable_record_stops_nobody_else
                    an_unreadable_record_is_left_out_of_lists
                }
                replaying {
                    a_replay_starts_afresh_and_keeps_the_history
                    a_replay_leaves_what_waits_and_what_names_nobody
                    a_replay_is_never_deduplicated
                    a_replay_reaches_a_person_under_lease
                    a_replay_waits_for_its_time_in_its_lane
                    a_dead_letter_is_closed_and_keeps_its_history
                    only_dead_letters_are_closed
                }
                auditing {
                    an_entry_is_kept_and_completed
                    entries_are_listed_newest_first_in_parts
                    old_entries_go
                }
                upkeep {
                    depth_counts_each_state
                    trim_keeps_what_is_needed
                    trim_forgets_by_age
                    trim_does_some_at_a_time
                    a_trimmed_event_is_new_again
                    holds_are_set_replaced_and_released
                    the_epoch_stays
                    a_healthy_store_passes_its_check
                }
                runs {
                    a_run_is_kept_as_it_is
                    a_run_is_written_by_who_knows_its_revision
                    of_many_who_write_one_succeeds
                    runs_are_listed_newest_first
                    open_runs_are_found_however_old
                    an_unreadable_run_stops_nobody_else
                    items_come_by_their_numbers
                    items_are_written_and_read_in_parts
                    an_unreadable_item_is_told
                    there_are_no_items_without_their_run
                    old_runs_go_with_their_items
                    runs_go_some_at_a_time
                }
                paging {
                    pages_come_back_up_to_the_first_gap
                    pages_go_with_their_run
                }
                keeping {
                    everything_is_handed_out
                    a_forgotten_person_is_found_nowhere
                    nothing_new_of_a_forgotten_person_is_kept
                    nobody_is_forgotten_under_lease
                    what_has_changed_is_not_swapped
                }
                budgets {
                    a_burst_then_a_steady_flow
                    a_grant_gives_at_most_what_is_asked
                    budgets_do_not_mix
                    a_pause_stops_everyone_and_is_never_shortened
                }
            }

            #[test]
            fn no_window_ever_holds_more_calls_than_the_rate() {
                crate::store::suite::budgets::windows($open);
            }

            #[test]
            fn it_does_what_the_model_does() {
                crate::store::model::compare($open);
            }
        }
    };
    (@tests $open:path; $($file:ident { $($case:ident)+ })+) => {
        $(mod $file {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::store::suite::$file::$case($open().await).await;
                }
            )+
        })+
    };
}

suite!(on_sqlite, crate::store::sqlite::open);
suite!(on_sealed_sqlite, crate::store::sqlite::open_sealed);

// Below the macro, which it uses.
mod redis;
