// How a node on another machine reaches the controller.
#pragma once

#include "base/host_port.hpp"
#include "config/config.hpp"
#include "wire/tls_context.hpp"

#include <memory>
#include <string>
#include <vector>

namespace jarvis::noded {

struct RemoteController {
    std::vector<HostPort> addresses; // empty: it is on this machine
    std::shared_ptr<wire::TlsCredentials> credentials;
};

// controller.addresses, and the certificate of the node of that name. Fails for one that is another node's or another cluster's.
Result<RemoteController> remote_controller(const config::Config& config, const std::string& node);

} // namespace jarvis::noded
