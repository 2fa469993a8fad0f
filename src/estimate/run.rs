//! One run, replayed in full and served by the allocator: what every figure of an estimate is read from.

use super::capacity::{self, Bracket};
use super::{COST_MODEL, Estimate, EstimateError, notes, process, reading, verdict};
use crate::catalog;
use crate::plan::Plan;
use crate::replay::Turns;
use crate::replay::allocator::serve::{Served, serve};
use crate::scenario::Scenario;
use crate::stack::{self, hf::managed_bytes};

/// A plan with its event list, and what serving it without limit came to.
#[derive(Debug)]
pub(crate) struct Run {
    plan: Plan,
    turns: Turns,
    served: Served,
}

impl Run {
    /// Replays a plan and serves it.
    ///
    /// # Errors
    /// [`EstimateError::NotModelled`] when more is asked for than any device has addresses.
    pub fn of(plan: Plan) -> Result<Self, EstimateError> {
        let turns = stack::turns(&plan);
        let served =
            serve(&turns, None).map_err(|_| EstimateError::NotModelled("the run is endless".into()))?;
        Ok(Run { plan, turns, served })
    }

    /// The least capacity for the allocator, as far as `enough` asks for.
    pub fn bracket(&self, enough: impl Fn(Bracket) -> bool) -> Bracket {
        capacity::bisect(&self.turns, &self.served, enough)
    }

    /// The estimate of the scenario that the plan was made of.
    pub fn estimate(&self, scenario: &Scenario) -> Estimate {
        let Run { plan, turns, served } = self;
        let reading = reading::read(turns, served);
        let least_capacity = self.bracket(|_| false).at_most;
        let context = process::context(plan.device.capability, scenario.stack);
        let gpu = scenario.gpu.as_deref().and_then(catalog::gpu);
        let room = gpu.map(|gpu| verdict::judge(least_capacity, &context, gpu.usable_bytes()));
        let managed = managed_bytes(plan);
        let unbounded = context.process(served.peak_allocated, served.peak_reserved);
        Estimate {
            cost_model: COST_MODEL.into(),
            allocated_bytes: served.peak_allocated,
            reserved_bytes: served.peak_reserved,
            least_capacity_bytes: least_capacity,
            process_bytes: match gpu {
                Some(gpu) => context.process_on(unbounded, least_capacity, gpu.usable_bytes()),
                None => unbounded,
            },
            context_bytes: context.interval(),
            host_bytes: managed.saturating_add(stack::host_bytes(plan)),
            capacity_bytes: gpu.map(catalog::Gpu::usable_bytes),
            verdict: room.map(|r| r.verdict),
            headroom_bytes: room.map(|r| r.headroom),
            peak: reading.peak,
            breakdown: reading.breakdown,
            phases: reading.phases,
            trainable_params: plan.trained_parameters(),
            total_params: plan.parameters(),
            assumptions: notes::assumptions(scenario, plan, gpu),
            warnings: notes::warnings(scenario, plan, gpu, managed),
            evidence: context.evidence(),
        }
    }
}
