/root/w/surv/cases/build/memslot/update/clear_log.o: \
 memslot/update/clear_log.c memslot/update/update.h lib/case.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h lib/memslot.h lib/vm.h \
 lib/kvm.h lib/kvm_abi.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h
memslot/update/update.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/memslot.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
