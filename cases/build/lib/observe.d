/root/w/surv/cases/build/lib/observe.o: lib/observe.c lib/case.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h lib/kmsg.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/vm.h lib/kvm.h \
 lib/kvm_abi.h lib/sigbus.h lib/supervise.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/kmsg.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/sigbus.h:
lib/supervise.h:
