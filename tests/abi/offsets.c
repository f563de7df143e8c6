/*
 * Where each member of the ABI is, on the 64-bit machines that Jarvis runs on. A line here changes only together with the major version (or,
 * while that is 0, with a note in the change log); new members come as new lines behind the last of their struct, whose size grows.
 */
#include <jarvis/auth.h>
#include <jarvis/plugin.h>
#include <jarvis/policy.h>
#include <jarvis/runtime.h>
#include <jarvis/storage.h>

#define AT(type, member, offset) _Static_assert(offsetof(struct type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), "struct " #type " has another size")

AT(jarvis_bytes, data, 0);
AT(jarvis_bytes, size, 8);
SIZE(jarvis_bytes, 16);

AT(jarvis_setting, name, 0);
AT(jarvis_setting, type, 8);
AT(jarvis_setting, reserved, 12);
AT(jarvis_setting, default_text, 16);
AT(jarvis_setting, unit, 24);
AT(jarvis_setting, text, 32);
SIZE(jarvis_setting, 40);

AT(jarvis_plugin_header, abi_major, 0);
AT(jarvis_plugin_header, abi_minor, 4);
AT(jarvis_plugin_header, struct_size, 8);
AT(jarvis_plugin_header, setting_size, 12);
AT(jarvis_plugin_header, kind, 16);
AT(jarvis_plugin_header, name, 24);
AT(jarvis_plugin_header, version, 32);
AT(jarvis_plugin_header, text, 40);
AT(jarvis_plugin_header, settings, 48);
AT(jarvis_plugin_header, setting_count, 56);
AT(jarvis_plugin_header, reserved, 60);
SIZE(jarvis_plugin_header, 64);

AT(jarvis_value, name, 0);
AT(jarvis_value, type, 8);
AT(jarvis_value, reserved, 12);
AT(jarvis_value, text, 16);
AT(jarvis_value, text_size, 24);
AT(jarvis_value, integer, 32);
SIZE(jarvis_value, 40);

AT(jarvis_host, struct_size, 0);
AT(jarvis_host, reserved, 4);
AT(jarvis_host, context, 8);
AT(jarvis_host, log, 16);
SIZE(jarvis_host, 24);

AT(jarvis_open, struct_size, 0);
AT(jarvis_open, value_size, 4);
AT(jarvis_open, value_count, 8);
AT(jarvis_open, reserved, 12);
AT(jarvis_open, values, 16);
AT(jarvis_open, host, 24);
SIZE(jarvis_open, 32);

AT(jarvis_blob, hash, 0);
AT(jarvis_blob, data, 32);
AT(jarvis_blob, size, 40);
SIZE(jarvis_blob, 48);

AT(jarvis_group, sequence, 0);
AT(jarvis_group, data, 8);
AT(jarvis_group, size, 16);
AT(jarvis_group, blobs, 24);
AT(jarvis_group, blob_count, 32);
AT(jarvis_group, flags, 36);
SIZE(jarvis_group, 40);

AT(jarvis_history_row, sequence, 0);
AT(jarvis_history_row, job, 8);
AT(jarvis_history_row, array_index, 16);
AT(jarvis_history_row, incarnation, 20);
AT(jarvis_history_row, uid, 24);
AT(jarvis_history_row, state, 28);
AT(jarvis_history_row, user, 32);
AT(jarvis_history_row, submit_us, 48);
AT(jarvis_history_row, start_us, 56);
AT(jarvis_history_row, end_us, 64);
AT(jarvis_history_row, record, 72);
SIZE(jarvis_history_row, 88);

AT(jarvis_history_key, job, 0);
AT(jarvis_history_key, array_index, 8);
AT(jarvis_history_key, incarnation, 12);
SIZE(jarvis_history_key, 16);

AT(jarvis_history_part, sequence, 0);
AT(jarvis_history_part, job, 8);
AT(jarvis_history_part, array_index, 16);
AT(jarvis_history_part, incarnation, 20);
AT(jarvis_history_part, number, 24);
AT(jarvis_history_part, record, 32);
SIZE(jarvis_history_part, 48);

AT(jarvis_history_filter, struct_size, 0);
AT(jarvis_history_filter, limit, 4);
AT(jarvis_history_filter, jobs, 8);
AT(jarvis_history_filter, job_count, 16);
AT(jarvis_history_filter, uids, 24);
AT(jarvis_history_filter, uid_count, 32);
AT(jarvis_history_filter, state_mask, 40);
AT(jarvis_history_filter, since_us, 48);
AT(jarvis_history_filter, until_us, 56);
AT(jarvis_history_filter, after, 64);
SIZE(jarvis_history_filter, 80);

AT(jarvis_storage, header, 0);
AT(jarvis_storage, open, 64);
AT(jarvis_storage, close, 72);
AT(jarvis_storage, status, 80);
AT(jarvis_storage, append, 88);
AT(jarvis_storage, read, 96);
AT(jarvis_storage, last_sequence, 104);
AT(jarvis_storage, trim, 112);
AT(jarvis_storage, probe, 120);
AT(jarvis_storage, blob_get, 128);
AT(jarvis_storage, sweep, 136);
AT(jarvis_storage, snapshot_begin, 144);
AT(jarvis_storage, snapshot_write, 152);
AT(jarvis_storage, snapshot_commit, 160);
AT(jarvis_storage, snapshot_abort, 168);
AT(jarvis_storage, snapshot_list, 176);
AT(jarvis_storage, snapshot_read, 184);
AT(jarvis_storage, snapshot_remove, 192);
AT(jarvis_storage, history_apply, 200);
AT(jarvis_storage, history_last_sequence, 208);
AT(jarvis_storage, history_query, 216);
AT(jarvis_storage, history_apply_parts, 224);
AT(jarvis_storage, history_parts, 232);
SIZE(jarvis_storage, 240);

AT(jarvis_identity, struct_size, 0);
AT(jarvis_identity, uid, 4);
AT(jarvis_identity, gid, 8);
AT(jarvis_identity, pid, 12);
SIZE(jarvis_identity, 16);

AT(jarvis_auth, header, 0);
AT(jarvis_auth, open, 64);
AT(jarvis_auth, close, 72);
AT(jarvis_auth, from_peer, 80);
SIZE(jarvis_auth, 88);

AT(jarvis_jobs, struct_size, 0);
AT(jarvis_jobs, count, 4);
AT(jarvis_jobs, context, 8);
AT(jarvis_jobs, integer, 16);
AT(jarvis_jobs, text, 24);
AT(jarvis_jobs, set_integer, 32);
AT(jarvis_jobs, set_text, 40);
SIZE(jarvis_jobs, 48);

AT(jarvis_policy, header, 0);
AT(jarvis_policy, open, 64);
AT(jarvis_policy, close, 72);
AT(jarvis_policy, queue_order, 80);
AT(jarvis_policy, submit, 88);
AT(jarvis_policy, priority, 96);
SIZE(jarvis_policy, 104);

AT(jarvis_rlimit, resource, 0);
AT(jarvis_rlimit, reserved, 4);
AT(jarvis_rlimit, soft, 8);
AT(jarvis_rlimit, hard, 16);
SIZE(jarvis_rlimit, 24);

AT(jarvis_launch, struct_size, 0);
AT(jarvis_launch, flags, 4);
AT(jarvis_launch, job_id, 8);
AT(jarvis_launch, incarnation, 16);
AT(jarvis_launch, umask, 20);
AT(jarvis_launch, uid, 24);
AT(jarvis_launch, gid, 28);
AT(jarvis_launch, groups, 32);
AT(jarvis_launch, group_count, 40);
AT(jarvis_launch, pu_count, 44);
AT(jarvis_launch, pus, 48);
AT(jarvis_launch, program, 56);
AT(jarvis_launch, argv, 64);
AT(jarvis_launch, envp, 72);
AT(jarvis_launch, working_directory, 80);
AT(jarvis_launch, input_path, 88);
AT(jarvis_launch, output_path, 96);
AT(jarvis_launch, error_path, 104);
AT(jarvis_launch, temporary_folder, 112);
AT(jarvis_launch, job_folder, 120);
AT(jarvis_launch, limits, 128);
AT(jarvis_launch, limit_count, 136);
AT(jarvis_launch, limit_size, 140);
AT(jarvis_launch, cgroup, 144);
AT(jarvis_launch, cgroup_fd, 152);
AT(jarvis_launch, reserved, 156);
AT(jarvis_launch, numa_nodes, 160);
AT(jarvis_launch, numa_node_count, 168);
AT(jarvis_launch, memory_policy, 172);
AT(jarvis_launch, policy_nodes, 176);
AT(jarvis_launch, policy_node_count, 184);
AT(jarvis_launch, reserved2, 188);
SIZE(jarvis_launch, 192);

AT(jarvis_handle, struct_size, 0);
AT(jarvis_handle, pid, 4);
AT(jarvis_handle, id, 8);
SIZE(jarvis_handle, 120);

AT(jarvis_runtime, header, 0);
AT(jarvis_runtime, load, 64);
AT(jarvis_runtime, attach, 72);
AT(jarvis_runtime, start, 80);
AT(jarvis_runtime, wait, 88);
AT(jarvis_runtime, signal, 96);
AT(jarvis_runtime, recover, 104);
AT(jarvis_runtime, close, 112);
SIZE(jarvis_runtime, 120);
