#include "remote_controller.hpp"

namespace jarvis::noded {

Result<RemoteController> remote_controller(const config::Config& config, const std::string& node)
{
    RemoteController remote;
    for (const auto& text : config.controller.addresses) {
        auto address = parse_host_port(text, config::default_port);
        if (!address)
            return std::unexpected(address.error());
        remote.addresses.push_back(std::move(*address));
    }
    if (remote.addresses.empty())
        return remote;
    const auto files = config::tls_files(config, node);
    auto credentials = wire::TlsCredentials::open({files.ca, files.certificate, files.key}, pki::Role::node);
    if (!credentials)
        return fail(credentials.error(), "controller.addresses needs a certificate");
    const auto& context = *(*credentials)->context();
    if (context.identity().name != node)
        return fail(Errc::invalid, "{} is the certificate of node {}, and this is node {}", files.certificate, context.identity().name, node);
    if (context.cluster_name() != config.cluster.name)
        return fail(Errc::invalid, "{} is a certificate of cluster \"{}\", and the configuration names \"{}\"", files.certificate,
                    context.cluster_name(), config.cluster.name);
    remote.credentials = std::move(*credentials);
    return remote;
}

} // namespace jarvis::noded
