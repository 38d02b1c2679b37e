//! The parameters of requests about dead letters.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::filter::Filter;
use super::page::Paging;
use crate::openapi::parameter;
use crate::parameters::{Param, Parameters};

const DRY_RUN: Param = Param::new(&["dry_run"], "Count the letters that would be changed, and change nothing.");
const ALL: Param = Param::new(&["all"], "Purge every letter. Required without a filter.");

/// The parameters of a list.
pub(super) struct ListParameters {
    pub(super) filter: Filter,
    pub(super) paging: Paging,
}

impl ListParameters {
    pub(super) fn take(parameters: &mut Parameters) -> Self {
        Self { filter: Filter::of(parameters), paging: Paging::of(parameters) }
    }
}

/// The parameters of a change of many letters.
pub(super) struct ChangeParameters {
    pub(super) filter: Filter,
    pub(super) paging: Paging,
    pub(super) dry_run: bool,
}

impl ChangeParameters {
    pub(super) fn take_for_redrive(parameters: &mut Parameters) -> Self {
        let ListParameters { filter, paging } = ListParameters::take(parameters);
        Self { filter, paging, dry_run: dry_run(parameters) }
    }

    pub(super) fn take_for_purge(parameters: &mut Parameters) -> Self {
        let taken = Self::take_for_redrive(parameters);
        if !parameters.flag(ALL) && taken.filter.is_empty() {
            parameters.problem(ALL.name(), "required", "must be true to purge every dead letter; or send a filter");
        }
        Self { filter: taken.filter.for_purge(), ..taken }
    }
}

/// Whether a change is only a dry run.
pub(super) fn dry_run(parameters: &mut Parameters) -> bool {
    parameters.flag(DRY_RUN)
}

macro_rules! described {
    ($($parameters:ident: $take:expr;)+) => {
        $(
            /// Describes the parameters of a request.
            pub(super) struct $parameters;

            impl IntoParams for $parameters {
                fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                    parameter::taken("", $take)
                }
            }
        )+
    };
}

described! {
    OfList: ListParameters::take;
    OfRedrive: ChangeParameters::take_for_redrive;
    OfPurge: ChangeParameters::take_for_purge;
    OfOne: dry_run;
}
