/root/w/surv/cases/build/lib/stats.o: lib/stats.c lib/stats.h lib/vcpu.h \
 ../guest/probe.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/observe.h \
 lib/json.h lib/util.h lib/step.h
lib/stats.h:
lib/vcpu.h:
../guest/probe.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
