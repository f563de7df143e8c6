// Between the model's ends of steps and the messages of step.proto, as convert.hpp does it for the others.
#pragma once

#include "base/result.hpp"
#include "model/step.hpp"
#include "step.pb.h"

namespace jarvis::wire {

StepEnd to_message(const jarvis::StepEnd& end);
Result<jarvis::StepEnd> from_message(const StepEnd& end);

} // namespace jarvis::wire
