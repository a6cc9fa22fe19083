//! Engine of conditions: Rhai with everything taken away but expressions, and a limit on
//! everything that is left.

use crate::orders::Order;
use crate::routing::conditions::compare::register;
use crate::routing::conditions::details::ConditionDetails;
use crate::routing::conditions::variables::{CHANNEL_VARIABLE, CONDITION_VARIABLES, values};
use jiff::civil::DateTime;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicStringPackage, LogicPackage, MoreStringPackage,
    Package,
};
use rhai::{AST, Dynamic, Engine, OptimizationLevel, Scope, def_package};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Operations of one evaluation: a condition needs some dozens. With texts of at
/// most `MAX_TEXT_BYTES` bytes this bounds the time too, so no clock is needed.
const MAX_OPERATIONS: u64 = 5_000;
const MAX_TEXT_BYTES: usize = 2_048;
const MAX_ARRAY_ITEMS: usize = 256;
def_package! {
    /// Arithmetic, comparisons and text. Not the language core package: its `sleep`
    /// blocks the thread past every limit.
    ConditionPackage(module): ArithmeticPackage, LogicPackage, BasicStringPackage, MoreStringPackage, BasicArrayPackage {
        let _ = module;
    }
}

/// A compiled condition.
#[derive(Debug)]
pub struct CompiledCondition(AST);

/// The engine, shared by all conditions of a configuration.
#[derive(Debug)]
pub struct ConditionEngine(Engine);

impl Default for ConditionEngine {
    fn default() -> Self {
        let mut engine = Engine::new_raw();
        ConditionPackage::new().register_into_engine(&mut engine);
        // The interner would take a lock at every call.
        engine.set_max_strings_interned(0);
        // Compiling must neither fold sample values into a condition nor call anything.
        engine.set_optimization_level(OptimizationLevel::None);
        engine.set_strict_variables(true);
        // Comparisons are our own: see `compare`.
        engine.set_fast_operators(false);
        engine.set_max_operations(MAX_OPERATIONS);
        engine.set_max_string_size(MAX_TEXT_BYTES);
        engine.set_max_array_size(MAX_ARRAY_ITEMS);
        engine.set_max_map_size(1);
        engine.set_max_call_levels(4);
        engine.set_max_expr_depths(32, 1);
        engine.set_max_functions(0);
        engine.set_max_variables(64);
        engine.set_max_modules(0);
        for symbol in [
            "eval", "print", "debug", "import", "export", "fn", "loop", "while", "for", "do",
            "switch",
        ] {
            engine.disable_symbol(symbol);
        }
        register(&mut engine);
        ConditionEngine(engine)
    }
}

impl ConditionEngine {
    /// Compiles an expression that may use the known variables and these details.
    ///
    /// # Errors
    /// What isn't one expression, or names something unknown; in words.
    pub fn compile(&self, text: &str, details: &[String]) -> Result<CompiledCondition, String> {
        let mut scope = Scope::new();
        for name in CONDITION_VARIABLES
            .iter()
            .copied()
            .chain([CHANNEL_VARIABLE])
            .chain(details.iter().map(String::as_str))
        {
            // Variables, not constants: those would be folded in.
            scope.push_dynamic(name.to_owned(), Dynamic::UNIT);
        }
        let compiled = catch_unwind(AssertUnwindSafe(|| {
            self.0.compile_expression_with_scope(&scope, text)
        }));
        match compiled {
            Ok(Ok(ast)) => Ok(CompiledCondition(ast)),
            Ok(Err(error)) => Err(format!("can't be read: {error}")),
            Err(_) => Err("can't be read".to_owned()),
        }
    }

    /// Tells whether the condition holds for this order on this channel, whose time is
    /// `local`.
    ///
    /// # Errors
    /// What stopped the evaluation, in words: nothing was decided.
    pub fn holds(
        &self,
        condition: &CompiledCondition,
        order: &Order,
        channel: &str,
        local: DateTime,
        details: &ConditionDetails,
    ) -> Result<bool, String> {
        let mut scope = Scope::new();
        for (name, value) in CONDITION_VARIABLES.iter().zip(values(order)) {
            scope.push_constant_dynamic(*name, value);
        }
        scope.push_constant_dynamic(CHANNEL_VARIABLE, channel.into());
        for (name, detail) in details {
            scope.push_constant_dynamic(name.as_str(), detail.dynamic(local));
        }
        let evaluated = catch_unwind(AssertUnwindSafe(|| {
            self.0
                .eval_ast_with_scope::<Dynamic>(&mut scope, &condition.0)
                .map_err(|e| e.to_string())
        }));
        let answer = evaluated.map_err(|_| "a native function panicked".to_owned())??;
        answer
            .as_bool()
            .map_err(|kind| format!("answers {kind}, not true or false"))
    }
}
