// The policy plugin "fifo": jobs start in the order in which they came, every submit is taken as it is.
#include <jarvis/policy.hpp>

namespace {

class Fifo {
public:
    explicit Fifo(const jarvis_plugin::Settings&) {}
    jarvis_queue_order queue_order() const { return JARVIS_ORDER_STRICT_FIFO; }
};

} // namespace

JARVIS_POLICY_PLUGIN(Fifo, (jarvis_plugin::About{
                               "fifo", JARVIS_VERSION,
                               "strict order of submission; a job that does not fit holds up those behind it"}))
