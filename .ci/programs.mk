# Both programs at once, for lib.sh. cargo takes its job slots from make, so that together they use what the computer has and no
# more, and an interrupt ends both.
.PHONY: app engine
app:
	+@cd "$$root" && CARGO_TARGET_DIR="$$cache/target/app" cargo build --release --locked $$app_selection --bin paddock 2> "$$logs/app"
engine:
	+@cd "$$engine_dir" && CARGO_TARGET_DIR="$$cache/target/engine" cargo build --release --locked 2> "$$logs/engine"
