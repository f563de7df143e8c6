// Between the model's ends of steps and the messages of step_end.proto, as convert.hpp does it for the others.
#pragma once

#include "base/result.hpp"
#include "model/step.hpp"
#include "step_end.pb.h"

namespace jarvis::wire {

StepEnd to_message(const jarvis::StepEnd& end);
Result<jarvis::StepEnd> from_message(const StepEnd& end);

} // namespace jarvis::wire
